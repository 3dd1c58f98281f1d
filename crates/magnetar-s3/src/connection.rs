//! A client that is a connection: what a pool lends.

use std::{fmt, ops::Deref};

use aws_sdk_s3::Client;

use crate::socket::Socket;

/// A client with one socket of its own, which it has from its first request on. So a pool of them has as many sockets as it says, which it
/// would not have if it lent clones of one client.
///
/// One request at a time: a second waits for the first, until the body of its answer is read or dropped. So read the body before the connection
/// goes back.
pub struct S3Connection {
    client: Client,
    socket: Socket,
}

impl S3Connection {
    pub(crate) fn new(client: Client, socket: Socket) -> Self {
        Self { client, socket }
    }

    /// Closes the socket and waits until it is closed.
    pub(crate) async fn close(self) {
        drop(self.client);
        self.socket.close().await;
    }
}

impl Deref for S3Connection {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl fmt::Debug for S3Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Connection").finish_non_exhaustive()
    }
}
