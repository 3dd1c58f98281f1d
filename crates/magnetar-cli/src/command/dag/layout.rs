//! Where things stand in a picture: in layers from left to right, so that every edge leads to the right.
//!
//! The steps are those of Sugiyama, Tagawa and Toda (IEEE SMC, 1981): each node into the layer behind the last that it waits for,
//! edges over several layers bent through each of them, the order in a layer by where the neighbours stand, and then the
//! heights, which come as near to the neighbours' as the order and the distances allow.

#![expect(clippy::indexing_slicing, reason = "edges and layers hold places in `stops`, which only grows")]

use std::collections::VecDeque;

/// How often the layers are put in order, and how often they are moved.
const SWEEPS: usize = 8;
/// Bends that are drawn at most; with more of them, long edges are drawn straight.
const BENDS_MAX: usize = 50_000;

/// What everything measures.
pub(super) struct Measures {
    /// From one layer to the next.
    pub(super) layer: f64,
    /// From one node to the next in a layer.
    pub(super) node: f64,
    /// From a bend to what stands next in a layer.
    pub(super) bend: f64,
}

/// Where the nodes stand, and through which points the edges lead.
pub(super) struct Layout {
    /// The left middle of each node.
    pub(super) nodes: Vec<Point>,
    /// The bends of each edge.
    pub(super) bends: Vec<Vec<Point>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
}

/// Nodes and bends alike, with their neighbours to the left and to the right.
#[derive(Default)]
struct Stop {
    layer: usize,
    left: Vec<usize>,
    right: Vec<usize>,
    is_bend: bool,
    /// Its place in its layer.
    order: usize,
    y: f64,
}

/// Lays out `count` nodes.
pub(super) fn layout(count: usize, edges: &[(usize, usize)], measures: &Measures) -> Layout {
    let mut stops: Vec<Stop> = layers(count, edges).into_iter().map(|layer| Stop { layer, ..Stop::default() }).collect();
    let routes = routes(&mut stops, edges);
    let mut order = in_layers(&mut stops);
    for sweep in 0..SWEEPS {
        sort(&mut order, &mut stops, sweep % 2 == 0);
    }
    for sweep in 0..SWEEPS {
        level(&order, &mut stops, measures, sweep % 2 == 0);
    }
    let highest = stops.iter().map(|stop| stop.y).fold(f64::INFINITY, f64::min);
    let point = |stop: &Stop| Point { x: real(stop.layer) * measures.layer, y: stop.y - highest };
    let bends = routes.iter().map(|route| route.iter().filter_map(|bend| stops.get(*bend)).map(point).collect()).collect();
    Layout { nodes: stops.iter().take(count).map(point).collect(), bends }
}

/// The layer of each node: one behind the last that it waits for.
fn layers(count: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let mut children = vec![Vec::new(); count];
    let mut unmet = vec![0_usize; count];
    for &(from, to) in edges {
        children[from].push(to);
        unmet[to] += 1;
    }
    let mut layers = vec![0; count];
    let mut free: VecDeque<usize> = (0..count).filter(|node| unmet[*node] == 0).collect();
    while let Some(node) = free.pop_front() {
        for &child in &children[node] {
            layers[child] = layers[child].max(layers[node] + 1);
            unmet[child] -= 1;
            if unmet[child] == 0 {
                free.push_back(child);
            }
        }
    }
    layers
}

/// Puts a bend into each layer that an edge passes, and makes neighbours of what follows each other. Returns the bends of each edge.
fn routes(stops: &mut Vec<Stop>, edges: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let passed = |stops: &[Stop], &(from, to): &(usize, usize)| stops[from].layer + 1..stops[to].layer;
    let bends: usize = edges.iter().map(|edge| passed(stops, edge).len()).sum();
    let mut routes = Vec::with_capacity(edges.len());
    for edge in edges {
        let layers = if bends > BENDS_MAX { 0..0 } else { passed(stops, edge) };
        let mut route = Vec::with_capacity(layers.len());
        for layer in layers {
            route.push(stops.len());
            stops.push(Stop { layer, is_bend: true, ..Stop::default() });
        }
        let mut before = edge.0;
        for next in route.iter().copied().chain([edge.1]) {
            stops[before].right.push(next);
            stops[next].left.push(before);
            before = next;
        }
        routes.push(route);
    }
    routes
}

/// The stops of each layer, for a start in the order of their numbers.
fn in_layers(stops: &mut [Stop]) -> Vec<Vec<usize>> {
    let count = stops.iter().map(|stop| stop.layer + 1).max().unwrap_or(0);
    let mut layers = vec![Vec::new(); count];
    for (place, stop) in stops.iter_mut().enumerate() {
        stop.order = layers[stop.layer].len();
        layers[stop.layer].push(place);
    }
    layers
}

/// Orders each layer by the mean order of the neighbours in the layer before it, so that fewer edges cross.
fn sort(layers: &mut [Vec<usize>], stops: &mut [Stop], is_rightward: bool) {
    let count = layers.len();
    for step in 0..count {
        let layer = &mut layers[if is_rightward { step } else { count - 1 - step }];
        let key = |place: usize| {
            let neighbours = if is_rightward { &stops[place].left } else { &stops[place].right };
            mean(neighbours.iter().map(|neighbour| real(stops[*neighbour].order))).unwrap_or(real(stops[place].order))
        };
        let mut keyed: Vec<_> = layer.iter().map(|place| (key(*place), *place)).collect();
        keyed.sort_by(|one, other| one.0.total_cmp(&other.0));
        *layer = keyed.into_iter().map(|(_, place)| place).collect();
        for (order, place) in layer.iter().enumerate() {
            stops[*place].order = order;
        }
    }
}

/// Moves each layer towards the mean heights of its neighbours, as near as the distances in it allow.
fn level(layers: &[Vec<usize>], stops: &mut [Stop], measures: &Measures, is_rightward: bool) {
    let count = layers.len();
    for step in 0..count {
        let layer = &layers[if is_rightward { step } else { count - 1 - step }];
        let wishes: Vec<_> = layer
            .iter()
            .map(|place| {
                let stop = &stops[*place];
                mean(stop.left.iter().chain(&stop.right).map(|neighbour| stops[*neighbour].y)).unwrap_or(stop.y)
            })
            .collect();
        let mut offsets = Vec::with_capacity(layer.len());
        let mut offset = 0.0;
        for pair in layer.windows(2) {
            offsets.push(offset);
            let has_bend = pair.iter().any(|place| stops[*place].is_bend);
            offset += if has_bend { measures.bend } else { measures.node };
        }
        offsets.push(offset);
        let free: Vec<_> = wishes.iter().zip(&offsets).map(|(wish, offset)| wish - offset).collect();
        for ((place, height), offset) in layer.iter().zip(rising(&free)).zip(&offsets) {
            stops[*place].y = height + offset;
        }
    }
}

/// The numbers nearest to these, by the sum of squares, of which none is below the one before it ("pool adjacent violators").
fn rising(wishes: &[f64]) -> Vec<f64> {
    // Runs that share one number: their sum and how many they are.
    let mut runs: Vec<(f64, usize)> = Vec::new();
    for wish in wishes {
        let mut run = (*wish, 1);
        while let Some(before) = runs.pop_if(|before| before.0 / real(before.1) > run.0 / real(run.1)) {
            run = (run.0 + before.0, run.1 + before.1);
        }
        runs.push(run);
    }
    runs.into_iter().flat_map(|(sum, count)| std::iter::repeat_n(sum / real(count), count)).collect()
}

fn mean(numbers: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = numbers.fold((0.0, 0), |(sum, count), number| (sum + number, count + 1));
    (count > 0).then(|| sum / real(count))
}

/// A count as a number: exact for all that can be drawn.
fn real(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEASURES: Measures = Measures { layer: 100.0, node: 10.0, bend: 4.0 };

    #[test]
    fn every_edge_leads_to_the_right() {
        let edges = [(3, 1), (1, 0), (3, 0), (2, 0), (1, 4)];
        let layout = layout(5, &edges, &MEASURES);
        for (from, to) in edges {
            assert!(layout.nodes[from].x < layout.nodes[to].x, "{from} -> {to}");
        }
        // Those over two layers bend once, in the one between.
        assert_eq!(layout.bends.iter().map(Vec::len).collect::<Vec<_>>(), [0, 0, 1, 1, 0]);
        assert!((layout.bends[2][0].x - layout.nodes[1].x).abs() < 1e-9);
    }

    #[test]
    fn nodes_of_a_layer_keep_their_distance() {
        let edges: Vec<_> = (0..20).map(|node| (node, 20 + node % 3)).collect();
        let layout = layout(23, &edges, &MEASURES);
        for (nodes, distance) in [(0..20, 10.0), (20..23, 10.0)] {
            let mut heights: Vec<_> = nodes.map(|node| layout.nodes[node].y).collect();
            heights.sort_by(f64::total_cmp);
            assert!(heights.windows(2).all(|pair| pair[1] - pair[0] >= distance - 1e-9), "{heights:?}");
        }
        assert!(layout.nodes.iter().all(|point| point.y >= 0.0));
    }

    #[test]
    fn nodes_stand_beside_what_they_wait_for() {
        // Two chains that begin in the wrong order do not cross.
        let layout = layout(4, &[(0, 3), (1, 2)], &MEASURES);
        assert_eq!(layout.nodes[0].y < layout.nodes[1].y, layout.nodes[3].y < layout.nodes[2].y);
        assert_eq!((layout.nodes[0].y, layout.nodes[1].y), (layout.nodes[3].y, layout.nodes[2].y));
    }

    #[test]
    fn nearest_rising_numbers_are_found() {
        assert_eq!(rising(&[1.0, 2.0, 3.0]), [1.0, 2.0, 3.0]);
        assert_eq!(rising(&[3.0, 1.0, 2.0]), [2.0, 2.0, 2.0]);
        assert_eq!(rising(&[1.0, 4.0, 2.0, 9.0]), [1.0, 3.0, 3.0, 9.0]);
        assert_eq!(rising(&[]), [0.0; 0]);
    }

    #[test]
    fn nothing_and_what_goes_in_circles_is_laid_out_too() {
        assert!(layout(0, &[], &MEASURES).nodes.is_empty());
        assert_eq!(layout(2, &[(0, 1), (1, 0)], &MEASURES).nodes.len(), 2);
    }
}
