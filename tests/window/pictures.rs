//! How the window looks: pictures of it in every layout, light and dark.

use biam_lens::app::commands::Command;
use biam_lens::app::state::Theme;
use biam_lens::app::view::{LabelsAs, PanelLayout};

use crate::fake_window::{Opening, Window, give};

const LABELS: [&str; 4] = ["dog", "frisbee", "toaster", "nothing"];

fn open(theme: Theme) -> Window<'static> {
    Opening {
        size: [1000.0, 620.0],
        theme: Some(theme),
        ..Opening::with(&LABELS)
    }
    .open()
}

/// The picture of the window, where this machine can draw one.
pub fn snapshot(window: &mut Window<'_>, name: &str) {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| window.render())) {
        Ok(Ok(_)) => {
            let options = egui_kittest::SnapshotOptions::new()
                .threshold(1.5)
                .max_failed_pixels(400_usize);
            window.snapshot_options(name, &options);
        }
        Ok(Err(reason)) => println!("{name} is not compared: {reason}"),
        Err(_) => println!("{name} is not compared: there is nothing to draw with"),
    }
}

/// Every layout in one theme, named `light-…` or `dark-…`.
fn every_layout(theme: Theme, name: &str) {
    let mut window = open(theme);
    snapshot(&mut window, &format!("{name}-grid"));
    for (layout, of) in [
        (PanelLayout::Large, "large"),
        (PanelLayout::Slider, "slider"),
        (PanelLayout::Difference, "difference"),
    ] {
        give(&mut window, Command::Layout(layout));
        snapshot(&mut window, &format!("{name}-{of}"));
    }
    give(&mut window, Command::Layout(PanelLayout::Grid));
    give(&mut window, Command::LabelsAs(LabelsAs::Columns));
    snapshot(&mut window, &format!("{name}-columns"));
}

#[test]
fn every_layout_looks_as_it_did_in_light() {
    every_layout(Theme::Light, "light");
}

#[test]
fn every_layout_looks_as_it_did_in_dark() {
    every_layout(Theme::Dark, "dark");
}
