//! CPU operators that candle lacks or does slowly, one file each; channels-last, checked against plain candle.
