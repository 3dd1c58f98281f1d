//! The graph as a Mermaid flowchart.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use magnetar::JobStatus;

use super::graph::{Graph, Node};

const CLASSES: [(JobStatus, &str); 6] = [
    (JobStatus::Pending, "fill:#ffffff,stroke:#667"),
    (JobStatus::Processing, "fill:#cfe8fc,stroke:#1b6ca8,stroke-width:2px"),
    (JobStatus::Done, "fill:#d3f0d3,stroke:#2d7d2d"),
    (JobStatus::Failed, "fill:#f9d0d0,stroke:#b32020,stroke-width:3px"),
    (JobStatus::Skipped, "fill:#fbeec8,stroke:#8a6d00,stroke-dasharray:6 3"),
    (JobStatus::Cancelled, "fill:#e8e0ee,stroke:#6b4a86,stroke-dasharray:2 3"),
];

pub(super) fn write(out: &mut impl Write, graph: &Graph) -> io::Result<()> {
    writeln!(out, "flowchart LR")?;
    for (place, node) in graph.nodes.iter().enumerate() {
        writeln!(out, "  n{place}[\"{}\"]:::{}", label(node), node.status)?;
    }
    for (from, to) in &graph.edges {
        writeln!(out, "  n{from} --> n{to}")?;
    }
    for (status, style) in CLASSES {
        if graph.nodes.iter().any(|node| node.status == status) {
            writeln!(out, "  classDef {status} {style}")?;
        }
    }
    Ok(())
}

fn label(node: &Node) -> String {
    let what = if node.label.is_empty() { String::new() } else { format!(" {}", escaped(&node.label)) };
    format!("{}{what}<br/>{}", node.name(), node.status)
}

/// Text in a label: whatever could be taken for something else is written by its number.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_alphanumeric() || " _-./,:".contains(letter) {
            escaped.push(letter);
        } else {
            let _ = write!(escaped, "#{};", u32::from(letter));
        }
    }
    escaped
}
