//! Tables of values parted by commas (RFC 4180), semicolons or tabs, streamed row by row.

use std::path::Path;

use super::DatasetError;
use super::encoding::NOT_UTF8;
use super::text::Lines;

/// A table's rows, one at a time.
pub(super) struct Table {
    lines: Lines,
    /// What parts the cells.
    delimiter: char,
    cells: Vec<String>,
    /// How many cells of `cells` the row has; those behind keep their memory for later rows.
    count: usize,
    /// Line in which the row that was read last begins.
    line: usize,
}

impl Table {
    /// A table whose cells are parted by commas.
    pub fn open(path: &Path) -> Result<Self, DatasetError> {
        Self::parted_by(path, ',')
    }

    /// A table whose cells are parted by `delimiter`.
    pub fn parted_by(path: &Path, delimiter: char) -> Result<Self, DatasetError> {
        Ok(Self {
            lines: Lines::open(path)?,
            delimiter,
            cells: Vec::new(),
            count: 0,
            line: 0,
        })
    }

    /// A table as a spreadsheet program writes it: its header shows what parts the cells. Returns
    /// the columns of these names, too.
    ///
    /// # Errors
    /// A header without these names, whatever parts its cells.
    pub fn spreadsheet<const N: usize>(
        path: &Path,
        names: [&str; N],
    ) -> Result<(Self, Columns<N>), DatasetError> {
        let mut table = Self::open(path)?;
        let mut is_there = table.next_line()?;
        // Excel reads what parts the cells from such a line.
        let told = match is_there {
            true => table.lines.last().trim_ascii(),
            false => &[],
        };
        if let Some([delimiter]) = told.strip_prefix(b"sep=") {
            table.delimiter = char::from(*delimiter);
            is_there = table.next_line()?;
        }
        if is_there && str::from_utf8(table.lines.last()).is_err() {
            return Err(table.refuse(NOT_UTF8));
        }
        // Where no delimiter gives these names, the one that gives most is shown.
        let (mut most, mut likely) = (0, table.delimiter);
        for delimiter in [table.delimiter, ';', '\t', '|'] {
            if !(is_there && table.reparse(delimiter)) {
                continue;
            }
            if let Ok(columns) = table.columns_of_row(names) {
                return Ok((table, columns));
            }
            if table.count > most {
                (most, likely) = (table.count, delimiter);
            }
        }
        if !(is_there && table.reparse(likely)) {
            table.count = 0;
        }
        Err(match table.columns_of_row(names) {
            Err(error) => error,
            Ok(_) => table.refuse("the header cannot be read"),
        })
    }

    /// Takes the line that was read last for one whose cells are parted by `delimiter`; whether it
    /// can be.
    fn reparse(&mut self, delimiter: char) -> bool {
        self.delimiter = delimiter;
        self.count = 0;
        let place = self.parse_line(Place::Start);
        let whole = matches!(place, Ok(Place::Start | Place::Plain | Place::Closed));
        if let Ok(place) = place {
            self.finish_line(place);
        }
        whole
    }

    /// Goes on to the next line that is not blank; whether there is one.
    fn next_line(&mut self) -> Result<bool, DatasetError> {
        loop {
            match self.lines.read()? {
                None => return Ok(false),
                Some(line) if line.trim_ascii().is_empty() => {}
                Some(_) => break,
            }
        }
        self.line = self.lines.number;
        self.count = 0;
        Ok(true)
    }

    /// The next row that is not blank; `None` at the end.
    ///
    /// # Errors
    /// Text that is not UTF-8, a quote that does not end or ends amid a cell.
    pub fn row(&mut self) -> Result<Option<&[String]>, DatasetError> {
        if !self.next_line()? {
            return Ok(None);
        }
        let mut place = Place::Start;
        loop {
            place = self.parse_line(place)?;
            let Place::Quoted = place else {
                self.finish_line(place);
                return Ok(Some(&self.cells[..self.count]));
            };
            // The cell goes on in the next line.
            let too_long = self.cell().len() > LONGEST_CELL;
            if too_long || self.lines.read()?.is_none() {
                return Err(self.refuse("a quote has no end"));
            }
            self.cell().push('\n');
        }
    }

    /// Begins the cell behind a delimiter that ends its line.
    fn finish_line(&mut self, place: Place) {
        if let Place::Start = place {
            self.begin_cell();
        }
    }

    /// Takes in the line that was read last, from `place` in a row; returns the place at its end.
    fn parse_line(&mut self, mut place: Place) -> Result<Place, DatasetError> {
        let text = str::from_utf8(self.lines.last()).map_err(|_| self.refuse(NOT_UTF8))?;
        let text = match self.lines.number {
            1 => text.trim_start_matches('\u{feff}'),
            _ => text,
        };
        // Cells are changed while the line is read.
        let text = text.to_owned();
        for c in text.chars() {
            place = match (place, c) {
                (Place::Start, '"') => {
                    self.begin_cell();
                    Place::Quoted
                }
                (Place::Start, c) if c == self.delimiter => {
                    self.begin_cell();
                    Place::Start
                }
                (Place::Start, c) => {
                    self.begin_cell();
                    self.cell().push(c);
                    Place::Plain
                }
                (Place::Plain | Place::Closed, c) if c == self.delimiter => Place::Start,
                (Place::Quoted, '"') => Place::Closed,
                (Place::Closed, '"') => {
                    self.cell().push('"');
                    Place::Quoted
                }
                (Place::Closed, _) => return Err(self.refuse(AMID)),
                (Place::Plain | Place::Quoted, c) => {
                    self.cell().push(c);
                    place
                }
            };
        }
        Ok(place)
    }

    /// The cell that is being read.
    fn cell(&mut self) -> &mut String {
        let last = self.count.saturating_sub(1);
        &mut self.cells[last]
    }

    fn begin_cell(&mut self) {
        match self.cells.get_mut(self.count) {
            Some(cell) => cell.clear(),
            None => self.cells.push(String::new()),
        }
        self.count += 1;
    }

    /// The columns of the header, the next row, by their names, whatever their case.
    ///
    /// # Errors
    /// A name that the header does not have.
    pub fn columns<const N: usize>(
        &mut self,
        names: [&str; N],
    ) -> Result<Columns<N>, DatasetError> {
        if self.row()?.is_none() {
            self.count = 0;
        }
        self.columns_of_row(names)
    }

    /// The columns of these names where the row that was read last is the header.
    fn columns_of_row<const N: usize>(&self, names: [&str; N]) -> Result<Columns<N>, DatasetError> {
        let header = &self.cells[..self.count];
        let mut places = [0; N];
        for (place, name) in places.iter_mut().zip(names) {
            let found = header
                .iter()
                .position(|c| c.trim().eq_ignore_ascii_case(name));
            let reason = || match header {
                [] => format!("there is no header with a column “{name}”"),
                header => {
                    let has: Vec<&str> = header.iter().take(NAMED).map(|c| c.trim()).collect();
                    let has = has.join("”, “");
                    format!("the header has no column “{name}”; it has “{has}”")
                }
            };
            *place = found.ok_or_else(|| self.refuse(reason()))?;
        }
        Ok(Columns {
            places,
            width: header.len(),
        })
    }

    /// The cells of the next row in these columns, with the row's line; `None` at the end.
    ///
    /// # Errors
    /// As [`Table::row`], and a row that is longer or shorter than the header.
    pub fn cells<const N: usize>(
        &mut self,
        columns: &Columns<N>,
    ) -> Result<Option<(usize, [&str; N])>, DatasetError> {
        loop {
            if self.row()?.is_none() {
                return Ok(None);
            }
            // Spreadsheets write the empty rows at their end as bare delimiters.
            let cells = &self.cells[..self.count];
            if cells.iter().any(|cell| !cell.trim().is_empty()) {
                break;
            }
        }
        if self.count != columns.width {
            let delimiter = match self.delimiter {
                ',' => "commas",
                ';' => "semicolons",
                '\t' => "tabs",
                _ => "what parts cells",
            };
            return Err(self.refuse(format!(
                "{} columns where the header has {}; put a cell with {delimiter} in double quotes",
                self.count, columns.width
            )));
        }
        let cells = columns.places.map(|place| self.cells[place].trim());
        Ok(Some((self.line, cells)))
    }

    /// The line in which the row that was read last begins.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The row that was read last cannot be understood.
    pub fn refuse(&self, reason: impl Into<String>) -> DatasetError {
        DatasetError::line(self.lines.path(), self.line, reason)
    }
}

/// Columns of a table that are wanted, in the order in which they were asked for.
pub(super) struct Columns<const N: usize> {
    places: [usize; N],
    /// How many columns the header has.
    width: usize,
}

/// How many columns of a header are told.
const NAMED: usize = 8;
/// Longest cell, in bytes: a quote that does not end must not take the whole file.
const LONGEST_CELL: usize = 1 << 20;
const AMID: &str = "a quote ends amid a cell; write a quote within quotes twice";

/// Where in a row.
#[derive(Clone, Copy)]
enum Place {
    /// Before a cell.
    Start,
    Plain,
    Quoted,
    /// Behind a quote that ends the cell or is the first of two.
    Closed,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Result<Vec<(usize, Vec<String>)>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.csv");
        std::fs::write(&path, text).unwrap();
        let mut table = Table::open(&path).unwrap();
        let mut rows = Vec::new();
        loop {
            let row = table.row().map_err(|error| error.to_string())?;
            match row.map(<[String]>::to_vec) {
                Some(row) => rows.push((table.line, row)),
                None => return Ok(rows),
            }
        }
    }

    fn row(text: &str) -> Vec<String> {
        rows(text).unwrap().remove(0).1
    }

    #[test]
    fn cells_are_plain_or_quoted() {
        assert_eq!(row("a,b c,"), ["a", "b c", ""]);
        assert_eq!(row("/m/1,\"Ducks, geese\"\r\n"), ["/m/1", "Ducks, geese"]);
        assert_eq!(
            row("\"Fiat \"\"topolino\"\"\",\"\",x"),
            ["Fiat \"topolino\"", "", "x"]
        );
        assert_eq!(row("\u{feff}photo,labels\n"), ["photo", "labels"]);
        assert_eq!(row(",,"), ["", "", ""]);
        assert_eq!(row("5' 3\" tall,x"), ["5' 3\" tall", "x"]);
    }

    #[test]
    fn rows_have_the_line_they_begin_in() {
        let rows = rows("a,\"x\ny\"\n\nb,z\nc,w").unwrap();
        assert_eq!(rows[0], (1, vec!["a".to_owned(), "x\ny".to_owned()]));
        assert_eq!((rows[1].0, rows[2].0), (4, 5));
    }

    #[test]
    fn broken_quotes_are_refused_with_their_line() {
        let endless = rows("a,b\n\"c,d\n").unwrap_err();
        assert!(
            endless.ends_with("table.csv line 2: a quote has no end"),
            "{endless}"
        );
        let amid = rows("a,b\n\"c\"d,e\n").unwrap_err();
        assert!(
            amid.contains("table.csv line 2: a quote ends amid a cell"),
            "{amid}"
        );
    }

    #[test]
    fn columns_are_found_by_name_and_rows_must_fit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.csv");
        std::fs::write(&path, "x,Labels,PHOTO\n1,\"dog,cat\",a.jpg\nshort,1\n").unwrap();
        let mut table = Table::open(&path).unwrap();
        let columns = table.columns(["photo", "labels"]).unwrap();
        assert_eq!(
            table.cells(&columns).unwrap(),
            Some((2, ["a.jpg", "dog,cat"]))
        );
        let error = table.cells(&columns).unwrap_err().to_string();
        assert!(
            error.contains("line 3: 2 columns where the header has 3"),
            "{error}"
        );
        let mut table = Table::open(&path).unwrap();
        let missing = table
            .columns(["boxes"])
            .map(|_| ())
            .unwrap_err()
            .to_string();
        assert!(
            missing.contains(
                "line 1: the header has no column “boxes”; it has “x”, “Labels”, “PHOTO”"
            ),
            "{missing}"
        );
    }

    #[test]
    fn spreadsheets_show_in_their_header_what_parts_cells() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.csv");
        for text in [
            "Photo,Labels\na.jpg,\"dog, cat\"\n",
            "\u{feff}Photo;Labels\r\na.jpg;dog, cat\r\n;\r\n",
            "\u{feff}\"Photo\";\"Labels\"\r\n\"a.jpg\";\"dog, cat\"\r\n",
            "PHOTO\tlabels\na.jpg\t\"dog, cat\"\n\t\n",
            "sep=;\r\nphoto;LABELS\r\na.jpg;dog, cat\r\n",
            "sep=|\nphoto|labels\na.jpg|dog, cat",
            "photo;labels\na.jpg;\"dog, cat\"",
        ] {
            std::fs::write(&path, text).unwrap();
            let (mut table, columns) = Table::spreadsheet(&path, ["photo", "labels"]).unwrap();
            let (_, cells) = table.cells(&columns).unwrap().unwrap();
            assert_eq!(cells, ["a.jpg", "dog, cat"], "{text}");
            assert_eq!(table.cells(&columns).unwrap(), None, "{text}");
        }
        let units = "\u{feff}Photo\tLabels\r\na.jpg\tchien, café\r\n".encode_utf16();
        std::fs::write(&path, units.flat_map(u16::to_le_bytes).collect::<Vec<u8>>()).unwrap();
        let (mut table, columns) = Table::spreadsheet(&path, ["photo", "labels"]).unwrap();
        let (_, cells) = table.cells(&columns).unwrap().unwrap();
        assert_eq!(cells, ["a.jpg", "chien, café"]);
        for (text, expected) in [
            (
                "file;tags\na;b\n",
                "line 1: the header has no column “photo”; it has “file”, “tags”",
            ),
            ("\n", "there is no header with a column “photo”"),
        ] {
            std::fs::write(&path, text).unwrap();
            let refused = Table::spreadsheet(&path, ["photo", "labels"]).map(|_| ());
            let refused = refused.unwrap_err().to_string();
            assert!(refused.contains(expected), "{refused}");
        }
    }
}
