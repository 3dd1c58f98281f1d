//! `magnetar dag`: which chunk waits for which, as a graph for other programs or as a picture.

mod dot;
mod graph;
mod layout;
mod mermaid;
mod svg;

use std::io::Write;

use anyhow::Result;
use clap::{Args, ValueEnum};

use self::graph::Graph;
use crate::{
    exit::{Code, fault},
    output::Out,
    span::{self, Span},
    store::{Found, Target, title},
    text::thousands,
};

/// Chunks that a picture holds. More cannot be read, and take long to lay out.
const PICTURE_CHUNKS_MAX: usize = 2000;
/// Chunks that a graph for another program holds.
const GRAPH_CHUNKS_MAX: usize = 1_000_000;

#[derive(Args, Debug)]
pub(crate) struct DagArgs {
    #[command(flatten)]
    target: Target,
    /// Which chunks, as in 17, 20-29 or 100-; all of them by default
    #[arg(value_name = "CHUNK")]
    spans: Vec<Span>,
    /// What to print
    #[arg(short, long, value_name = "FORMAT", default_value = "dot")]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For Graphviz
    Dot,
    /// A flowchart for Markdown
    Mermaid,
    /// A picture, laid out by this program; up to 2,000 chunks
    Svg,
}

pub(crate) async fn run(mut args: DagArgs) -> Result<Code> {
    args.target.take_spans(&mut args.spans);
    let spans = if args.spans.is_empty() { vec![Span::ALL] } else { span::merged(args.spans) };
    let Found { site, job } = args.target.find().await?;
    let max = if args.format == Format::Svg { PICTURE_CHUNKS_MAX } else { GRAPH_CHUNKS_MAX };
    let Some(graph) = Graph::read(&*site.store, &job, &spans, max).await? else {
        let why = format!("{} has more than {} chunks; name some, as in 1-{max}", title(&job), thousands(max as u64));
        let way_out = if args.format == Format::Svg { ", or print it with --format dot" } else { "" };
        return Err(fault(Code::Usage, format!("{why}{way_out}")));
    };
    let mut out = Out::new();
    match args.format {
        Format::Dot => dot::write(&mut out, &graph)?,
        Format::Mermaid => mermaid::write(&mut out, &graph)?,
        Format::Svg => out.write_all(svg::picture(&graph).as_bytes())?,
    }
    out.finish()?;
    Ok(Code::Ok)
}
