//! `fencepost draw`: a program as a picture, as a graph, or as data.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use fencepost_core::draw;
use fencepost_core::timeline::Timeline;

use crate::findings::Checked;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A program.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where the picture goes; standard output without it.
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    /// A picture, the order as a Graphviz graph, or the timeline as data.
    #[arg(long, value_enum, default_value_t = Format::Svg)]
    format: Format,
    /// The ground of a picture; auto follows the reader's own setting.
    #[arg(long, value_enum, default_value_t = Theme::Auto)]
    theme: Theme,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Svg,
    Dot,
    Json,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Theme {
    Auto,
    Light,
    Dark,
}

/// 0 where it is drawn, whatever is wrong with the program; 2 where the file is no program or cannot be written to.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let checked = match Checked::read(&arguments.file) {
        Ok(checked) => checked,
        Err(fault) => {
            eprint!("{}", fault.0);
            return ExitCode::from(2);
        }
    };
    let timeline = Timeline::of_checked(&checked.program, &checked.order, &checked.findings);
    let title =
        arguments.file.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let text = match arguments.format {
        Format::Svg => draw::svg(&timeline, &title, arguments.theme.into()),
        Format::Dot => draw::dot(&checked.program, &checked.order, &checked.findings, &title),
        Format::Json => draw::json(&timeline, &title),
    };
    let Some(path) = &arguments.output else {
        // Nobody who has closed the pipe wants the rest.
        let _ = std::io::stdout().lock().write_all(text.as_bytes());
        return ExitCode::SUCCESS;
    };
    match std::fs::write(path, text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fencepost: {} cannot be written: {error}", path.display());
            ExitCode::from(2)
        }
    }
}

impl From<Theme> for draw::Theme {
    fn from(theme: Theme) -> Self {
        match theme {
            Theme::Auto => Self::Auto,
            Theme::Light => Self::Light,
            Theme::Dark => Self::Dark,
        }
    }
}
