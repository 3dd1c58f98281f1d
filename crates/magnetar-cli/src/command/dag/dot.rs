//! The graph in the language of Graphviz.

use std::io::{self, Write};

use magnetar::JobStatus;

use super::graph::{Graph, Node};

pub(super) fn write(out: &mut impl Write, graph: &Graph) -> io::Result<()> {
    writeln!(out, "digraph {} {{", quoted(&graph.title))?;
    writeln!(out, "  rankdir=LR;")?;
    writeln!(out, "  node [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\"];")?;
    for node in &graph.nodes {
        let (fill, shape) = look(node.status);
        let label = quoted(&label(node));
        writeln!(out, "  {} [label={label}, fillcolor=\"{fill}\"{shape}];", quoted(&node.name()))?;
    }
    let name = |place: usize| graph.nodes.get(place).map(|node| quoted(&node.name())).unwrap_or_default();
    for (from, to) in &graph.edges {
        writeln!(out, "  {} -> {};", name(*from), name(*to))?;
    }
    writeln!(out, "}}")
}

fn label(node: &Node) -> String {
    let what = if node.label.is_empty() { String::new() } else { format!("{}\n", node.label) };
    format!("{}\n{what}{}", node.name(), node.status)
}

/// Color and, for who does not see colors, shape.
const fn look(status: JobStatus) -> (&'static str, &'static str) {
    match status {
        JobStatus::Processing => ("#cfe8fc", ", penwidth=2"),
        JobStatus::Done => ("#d3f0d3", ""),
        JobStatus::Failed => ("#f9d0d0", ", shape=octagon, style=filled, penwidth=2"),
        JobStatus::Skipped => ("#fbeec8", ", style=\"filled,dashed\""),
        JobStatus::Cancelled => ("#e8e0ee", ", style=\"filled,dotted\""),
        _ => ("#ffffff", ""),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}
