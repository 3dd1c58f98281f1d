//! The chunks of a job and what they wait for, as they are drawn.

use std::collections::HashMap;

use anyhow::Result;
use magnetar::{ChunkId, Filter, Job, JobId, JobState, JobStatus, JobStore};

use crate::{label::label, overview::dependencies, span::Span, text::clean};

/// Chunks that are read at once.
const PAGE_CHUNKS: usize = 1000;

/// A graph: an edge leads from a chunk to one that waits for it.
pub(super) struct Graph {
    /// What the job is called; safe to show.
    pub(super) title: String,
    pub(super) nodes: Vec<Node>,
    /// Pairs of places in `nodes`.
    pub(super) edges: Vec<(usize, usize)>,
}

/// A chunk.
pub(super) struct Node {
    /// The job, where it is another one.
    pub(super) job: Option<JobId>,
    pub(super) chunk: ChunkId,
    pub(super) status: JobStatus,
    /// What it is about; safe to show, may be empty.
    pub(super) label: String,
    /// What went wrong; safe to show.
    pub(super) error: Option<String>,
}

impl Graph {
    /// Reads the chunks of the spans; none where they are more than `max`. Chunks of other jobs come along where something waits for them.
    pub(super) async fn read(store: &dyn JobStore, job: &Job, spans: &[Span], max: usize) -> Result<Option<Self>> {
        let Some(mut nodes) = nodes(store, job.id, spans, max).await? else { return Ok(None) };
        let mut places: HashMap<_, _> = nodes.iter().enumerate().map(|(place, node)| ((job.id, node.chunk), place)).collect();
        let mut edges = Vec::new();
        let ids: Vec<_> = nodes.iter().map(|node| node.chunk).collect();
        for (place, id) in ids.into_iter().enumerate() {
            for (on_job, on) in dependencies(store, job.id, id).await? {
                let on_place = match places.get(&(on_job, on)) {
                    Some(found) => *found,
                    // One of this job that was not asked for is left out.
                    None if on_job == job.id => continue,
                    None => {
                        let Some(state) = store.get_chunk(on_job, on).await? else { continue };
                        nodes.push(Node::of(&state, Some(on_job)));
                        places.insert((on_job, on), nodes.len() - 1);
                        nodes.len() - 1
                    }
                };
                edges.push((on_place, place));
            }
        }
        let title = job.name.as_deref().map_or_else(|| format!("job {}", job.id), |name| clean(name).into_owned());
        Ok(Some(Self { title, nodes, edges }))
    }
}

async fn nodes(store: &dyn JobStore, job: JobId, spans: &[Span], max: usize) -> Result<Option<Vec<Node>>> {
    let mut nodes = Vec::new();
    for span in spans {
        let mut after = span.first.checked_sub(1);
        loop {
            let page = store.chunks(job, Filter::All, after, PAGE_CHUNKS).await?;
            let chunks = page.items.iter().filter(|chunk| chunk.chunk <= span.last);
            nodes.extend(chunks.map(|chunk| Node::of(chunk, None)));
            if nodes.len() > max {
                return Ok(None);
            }
            match page.next.filter(|next| *next < span.last) {
                Some(next) => after = Some(next),
                None => break,
            }
        }
    }
    Ok(Some(nodes))
}

impl Node {
    fn of(chunk: &JobState, job: Option<JobId>) -> Self {
        Self {
            job,
            chunk: chunk.chunk,
            status: chunk.status,
            label: clean(&label(chunk)).into_owned(),
            error: chunk.error.as_deref().map(|error| clean(error).into_owned()),
        }
    }

    /// Its number, with its job where that is another one.
    pub(super) fn name(&self) -> String {
        match self.job {
            Some(job) => format!("{job}/{}", self.chunk),
            None => self.chunk.to_string(),
        }
    }
}
