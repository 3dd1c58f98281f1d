//! One connection of the pool: dialled when it is needed, and given up when it is not worth anything any more.

use redis::{ErrorKind, RedisError, RedisResult, ServerErrorKind};
use tokio::sync::Mutex;

use crate::dial::{Dialer, Socket};

/// A place for one connection.
#[derive(Default)]
pub(crate) struct Link {
    place: Mutex<Place>,
}

#[derive(Default)]
struct Place {
    socket: Option<Socket>,
    /// Counts the connections that stood here, so that one that broke is given up once, however many commands it took along.
    generation: u64,
}

impl Link {
    /// The connection, dialled first where there is none. Whoever comes meanwhile waits for it, and does not dial too.
    pub(crate) async fn socket(&self, dialer: &Dialer) -> RedisResult<(Socket, u64)> {
        let mut place = self.place.lock().await;
        if let Some(socket) = &place.socket {
            return Ok((socket.clone(), place.generation));
        }
        let socket = dialer.dial().await?;
        place.socket = Some(socket.clone());
        place.generation += 1;
        Ok((socket, place.generation))
    }

    /// Gives up a connection, unless another one has taken its place.
    pub(crate) async fn give_up(&self, generation: u64) {
        let mut place = self.place.lock().await;
        if place.generation == generation {
            place.socket = None;
        }
    }

    /// Gives up whatever stands here.
    pub(crate) async fn close(&self) {
        self.place.lock().await.socket = None;
    }
}

/// Whether a connection is worth nothing after an error: it broke, it did not answer, or it did not come about.
///
/// The manager of connections dials again by itself where one was reset. But it keeps one that does not answer, whose other end may be gone without a
/// word, and it keeps the error of a dial that failed for the next call, which may come when the server is back for long. With sentinels, another
/// server may be the master by now.
pub(crate) fn is_spent(error: &RedisError, may_move: bool) -> bool {
    let moved = matches!(
        error.kind(),
        ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown | ServerErrorKind::BusyLoading)
    );
    error.is_io_error() || (may_move && moved)
}
