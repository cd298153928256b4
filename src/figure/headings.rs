//! The words around the panels: labels with their badges and letters, variants' titles.

use super::display_list::{Anchor, Item, Text};
use super::font::{BASELINE, FontStyle, LINE_HEIGHT, MM, fitted, text_width};
use super::layout::Page;
use crate::semantics::LabelStatus;

impl Page<'_> {
    /// The label over its whole row, its badge behind it.
    pub fn put_row_heading(&mut self, label: usize) {
        let facts = &self.panels.comparison.labels[label];
        let (size, small) = (self.style.font_size, self.style.small_size());
        let (letter, badge) = (self.letter(label), badge(facts.status));
        let start = self.cells.left + MM * text_width(&letter, size, FontStyle::Bold);
        let between = 0.7 * size;
        let room = (self.cells.right() - start) / MM
            - between
            - text_width(badge, small, FontStyle::Regular);
        let name = fitted(&facts.text, size, FontStyle::Italic, room);
        let end = start + MM * (text_width(&name, size, FontStyle::Italic) + between);
        let baseline = self.y + MM * BASELINE * size;
        let (dark, faint) = (self.style.text_colour, self.style.faint_colour);
        self.put_text(self.words(
            letter,
            [self.cells.left, baseline],
            size,
            FontStyle::Bold,
            dark,
        ));
        self.put_text(self.words(name, [start, baseline], size, FontStyle::Italic, dark));
        let badge = badge.to_owned();
        self.put_text(self.words(badge, [end, baseline], small, FontStyle::Regular, faint));
        self.skip_line(size);
    }

    /// The label centred over its column, its badge below it.
    pub fn put_column_heading(&mut self, label: usize, column: usize) {
        let facts = &self.panels.comparison.labels[label];
        let (size, small) = (self.style.font_size, self.style.small_size());
        let letter = self.letter(label);
        let before = text_width(&letter, size, FontStyle::Bold);
        let name = fitted(
            &facts.text,
            size,
            FontStyle::Italic,
            self.cells.width / MM - before,
        );
        let width = MM * (before + text_width(&name, size, FontStyle::Italic));
        let centre = self.cells.x(column) + 0.5 * self.cells.width;
        let start = centre - 0.5 * width;
        let baseline = self.y + MM * BASELINE * size;
        let below = self.y + MM * (LINE_HEIGHT * size + 0.85 * small);
        let (dark, faint) = (self.style.text_colour, self.style.faint_colour);
        let badge = badge(facts.status).to_owned();
        self.put_text(self.words(letter, [start, baseline], size, FontStyle::Bold, dark));
        self.put_text(self.words(
            name,
            [start + MM * before, baseline],
            size,
            FontStyle::Italic,
            dark,
        ));
        self.put_text(Text {
            anchor: Anchor::Middle,
            ..self.words(badge, [centre, below], small, FontStyle::Regular, faint)
        });
    }

    pub fn put_column_title(&mut self, title: &str, column: usize, font_style: FontStyle) {
        let size = self.style.font_size;
        let title = fitted(title, size, font_style, self.cells.width / MM);
        let centre = self.cells.x(column) + 0.5 * self.cells.width;
        let place = [centre, self.y + MM * BASELINE * size];
        self.put_text(Text {
            anchor: Anchor::Middle,
            ..self.words(title, place, size, font_style, self.style.text_colour)
        });
    }

    /// The variant's title beside its row, read upwards.
    pub fn put_row_title(&mut self, variant: usize) {
        let (size, height) = (self.style.font_size, self.cells.picture[1]);
        let title = self.panels.title(variant);
        let title = fitted(&title, size, FontStyle::Bold, height / MM);
        let place = [
            self.style.margin_mm + MM * BASELINE * size,
            self.y + 0.5 * height,
        ];
        self.put_text(Text {
            anchor: Anchor::Middle,
            upwards: true,
            ..self.words(title, place, size, FontStyle::Bold, self.style.text_colour)
        });
    }

    fn words(
        &self,
        text: String,
        place: [f32; 2],
        size: f32,
        font_style: FontStyle,
        colour: [u8; 3],
    ) -> Text {
        Text {
            text,
            place,
            anchor: Anchor::Start,
            size,
            font_style,
            colour,
            upwards: false,
        }
    }

    pub fn put_text(&mut self, text: Text) {
        if !text.text.is_empty() {
            self.items.push(Item::Text(text));
        }
    }

    /// `(a) ` for the first label, `(b) ` for the second, `(aa) ` after `(z) `.
    fn letter(&self, label: usize) -> String {
        if !self.style.letters {
            return String::new();
        }
        let mut letters = Vec::new();
        let mut rest = label + 1;
        while rest > 0 {
            letters.push(char::from(b'a' + ((rest - 1) % 26) as u8));
            rest = (rest - 1) / 26;
        }
        format!("({}) ", letters.iter().rev().collect::<String>())
    }
}

fn badge(status: LabelStatus) -> &'static str {
    match status {
        LabelStatus::Seen => "seen",
        LabelStatus::Taught => "taught",
        LabelStatus::Unseen => "unseen",
    }
}
