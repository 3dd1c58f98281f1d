//! An HTTP client with one socket, which can be closed for good.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aws_sdk_s3::error::BoxError;
use aws_smithy_http_client::pool::{Client, ConnectionEvent, DriverSpawner, Partition, PartitionId};
use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::HttpRequest,
    runtime_components::RuntimeComponents,
};
use tokio::{runtime::Handle, sync::watch, task::JoinSet};

use crate::transport::Transport;

/// The one socket of an HTTP client: there is no second one, not even while the first is being closed.
pub(crate) struct Socket(Arc<Tasks>);

/// The tasks that own the socket, from its opening to its end.
struct Tasks {
    runtime: Handle,
    /// None once the socket has to be gone: what is started later is dropped.
    running: Mutex<Option<JoinSet<()>>>,
}

impl Socket {
    /// An HTTP client, and the socket that it has from its first request on. What it does meanwhile runs on this runtime.
    pub(crate) fn new(transport: Transport, runtime: Handle) -> Result<(impl HttpClient + 'static, Self), BoxError> {
        let tasks = Arc::new(Tasks { runtime, running: Mutex::new(Some(JoinSet::new())) });
        let spawner = Arc::clone(&tasks);
        let place = PartitionId::from_index(0);
        let partition = Partition::new(place, DriverSpawner::from_fn(move |task| spawner.spawn(task)));
        let (counter, closing) = watch::channel(0_usize);
        let listener = move |event: &ConnectionEvent<'_>| match event {
            ConnectionEvent::LogicalClose(_) => counter.send_modify(|closing| *closing += 1),
            ConnectionEvent::PhysicalClose(_) => counter.send_modify(|closing| *closing = closing.saturating_sub(1)),
            _ => {}
        };
        let builder = transport.builder().max_connections_per_host(1).partitions([partition]).event_listener(listener);
        let client = Client::from_partition(&builder.build_https()?, place)?;
        Ok((OneSocket { client, closing }, Self(tasks)))
    }

    /// Closes the socket, whatever it is at, and waits until it is closed. The client is of no more use.
    pub(crate) async fn close(self) {
        let running = self.0.running().take();
        if let Some(mut running) = running {
            running.shutdown().await;
        }
    }
}

impl Tasks {
    fn spawn(&self, task: Pin<Box<dyn Future<Output = ()> + Send>>) {
        if let Some(running) = &mut *self.running() {
            while running.try_join_next().is_some() {}
            running.spawn_on(task, &self.runtime);
        }
    }

    fn running(&self) -> MutexGuard<'_, Option<JoinSet<()>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client that makes no new socket before the one that broke is gone. Its pool counts one that takes no more requests as gone, though
/// it is still open.
#[derive(Debug)]
struct OneSocket<C> {
    client: C,
    /// How many take no more requests and are still open.
    closing: watch::Receiver<usize>,
}

impl HttpClient for OneSocket<Client> {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let client = self.client.http_connector(settings, components);
        SharedHttpConnector::new(OneSocket { client, closing: self.closing.clone() })
    }
}

impl HttpConnector for OneSocket<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (client, mut closing) = (self.client.clone(), self.closing.clone());
        HttpConnectorFuture::new(async move {
            // It can only fail when the pool that counts is gone, and then the request fails too.
            closing.wait_for(|closing| *closing == 0).await.ok();
            client.call(request).await
        })
    }
}
