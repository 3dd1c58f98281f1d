//! The graph as a picture, in SVG.

use std::fmt::Write;

use magnetar::JobStatus;
use unicode_width::UnicodeWidthStr;

use super::{
    graph::{Graph, Node},
    layout::{Layout, Measures, Point, layout},
};
use crate::output::table::cut;

const MEASURES: Measures = Measures { layer: 248.0, node: 48.0, bend: 26.0 };
const BOX_WIDTH: f64 = 188.0;
const BOX_HEIGHT: f64 = 38.0;
const MARGIN: f64 = 24.0;
/// Above the graph: the title and what the colors mean.
const HEAD: f64 = 64.0;
/// Letters that fit into a box.
const LETTERS: usize = 24;

/// Fill, line, and for who does not see colors the line's width and dashes.
const LOOKS: [(JobStatus, &str); 6] = [
    (JobStatus::Pending, "fill:#ffffff;stroke:#666677"),
    (JobStatus::Processing, "fill:#cfe8fc;stroke:#1b6ca8;stroke-width:2.5"),
    (JobStatus::Done, "fill:#d3f0d3;stroke:#2d7d2d"),
    (JobStatus::Failed, "fill:#f9d0d0;stroke:#b32020;stroke-width:3.5"),
    (JobStatus::Skipped, "fill:#fbeec8;stroke:#8a6d00;stroke-dasharray:6 3"),
    (JobStatus::Cancelled, "fill:#e8e0ee;stroke:#6b4a86;stroke-dasharray:2 3"),
];

const STYLE: &str = "text{font:12px ui-monospace,monospace;fill:#1a1a22}.t{font-size:16px;font-weight:bold}.s{font-size:10px;fill:#44444f}\
path{fill:none;stroke:#8a8a99;stroke-width:1.2}";

/// The whole picture.
pub(super) fn picture(graph: &Graph) -> String {
    let Layout { nodes, bends } = layout(graph.nodes.len(), &graph.edges, &MEASURES);
    let largest = |of: fn(&Point) -> f64| nodes.iter().chain(bends.iter().flatten()).map(of).fold(0.0, f64::max);
    let width = (largest(|point| point.x) + BOX_WIDTH + 2.0 * MARGIN).max(720.0);
    let height = largest(|point| point.y) + BOX_HEIGHT + HEAD + 2.0 * MARGIN;
    let mut svg = String::new();
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\">"
    );
    let title = escaped(&graph.title);
    let _ = writeln!(svg, "<title>{title}</title>\n<style>{STYLE}{}</style>", classes());
    let _ = writeln!(svg, "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>");
    let _ = writeln!(svg, "<text class=\"t\" x=\"{MARGIN}\" y=\"{}\">{title}</text>", MARGIN + 10.0);
    svg.push_str(&legend(graph));
    let _ = writeln!(svg, "<g transform=\"translate({MARGIN} {})\">", HEAD + MARGIN + BOX_HEIGHT / 2.0);
    for (edge, bends) in graph.edges.iter().zip(&bends) {
        if let (Some(from), Some(to)) = (nodes.get(edge.0), nodes.get(edge.1)) {
            svg.push_str(&line(*from, bends, *to));
        }
    }
    for (node, at) in graph.nodes.iter().zip(&nodes) {
        svg.push_str(&drawn(node, *at));
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

fn classes() -> String {
    LOOKS.iter().fold(String::new(), |mut classes, (status, look)| {
        let _ = write!(classes, ".{status}{{{look}}}");
        classes
    })
}

/// How many chunks stand where, in the colors that they have.
fn legend(graph: &Graph) -> String {
    let mut legend = String::new();
    let mut x = MARGIN;
    for (status, _) in LOOKS {
        let count = graph.nodes.iter().filter(|node| node.status == status).count();
        if count > 0 {
            let text = format!("{count} {status}");
            let _ = writeln!(
                legend,
                "<rect class=\"{status}\" x=\"{x:.0}\" y=\"{}\" width=\"14\" height=\"14\" rx=\"3\"/>",
                MARGIN + 24.0
            );
            let _ = writeln!(legend, "<text x=\"{:.0}\" y=\"{}\">{text}</text>", x + 20.0, MARGIN + 35.0);
            x += 44.0 + 7.3 * f64::from(u8::try_from(text.len()).unwrap_or(u8::MAX));
        }
    }
    legend
}

fn drawn(node: &Node, at: Point) -> String {
    let name = node.name();
    let room = LETTERS.saturating_sub(name.width() + 1);
    let what = cut(&node.label, room);
    let error = node.error.as_ref().map(|error| format!("\n{error}")).unwrap_or_default();
    let tip = escaped(format!("{name} {}\n{}{error}", node.label, node.status).trim());
    format!(
        "<g><title>{tip}</title><rect class=\"{status}\" x=\"{x:.1}\" y=\"{top:.1}\" width=\"{BOX_WIDTH}\" height=\"{BOX_HEIGHT}\" rx=\"6\"/>\
         <text x=\"{left:.1}\" y=\"{first:.1}\"><tspan font-weight=\"bold\">{name}</tspan> {what}</text>\
         <text class=\"s\" x=\"{left:.1}\" y=\"{second:.1}\">{status}</text></g>\n",
        status = node.status,
        x = at.x,
        top = at.y - BOX_HEIGHT / 2.0,
        left = at.x + 8.0,
        first = at.y - 3.0,
        second = at.y + 12.0,
        what = escaped(&what),
    )
}

/// A curve from the right of one box through the bends to the left of another.
fn line(from: Point, bends: &[Point], to: Point) -> String {
    let mut at = Point { x: from.x + BOX_WIDTH, ..from };
    let mut path = format!("<path d=\"M{:.1} {:.1}", at.x, at.y);
    for bend in bends {
        // Through the room of a box the line is straight.
        curve(&mut path, at, *bend);
        at = Point { x: bend.x + BOX_WIDTH, ..*bend };
        let _ = write!(path, "H{:.1}", at.x);
    }
    curve(&mut path, at, to);
    path.push_str("\"/>\n");
    path
}

fn curve(path: &mut String, from: Point, to: Point) {
    let middle = f64::midpoint(from.x, to.x);
    let _ = write!(path, "C{middle:.1} {:.1} {middle:.1} {:.1} {:.1} {:.1}", from.y, to.y, to.x, to.y);
}

/// Text between tags. What steers a terminal, which XML does not allow, is escaped already; line ends stay.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
