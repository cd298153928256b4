//! The network: latent features, RCB, SCB, fusion, region classifier, top-k pooling.
