//! A server that answers scripts as a test says: for answers that a real one gives only in rare moments.

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Answers each script with the next of its lines, and with the last one from then on.
pub(crate) struct Puppet {
    port: u16,
    script: Arc<Mutex<Script>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Script {
    answers: Vec<String>,
    asked: usize,
}

impl Puppet {
    pub(crate) async fn answering(answers: &[&str]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let answers = answers.iter().map(|answer| format!("{answer}\r\n")).collect();
        let script = Arc::new(Mutex::new(Script { answers, asked: 0 }));
        let shared = script.clone();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, shared.clone()));
            }
        });
        Self { port, script, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// How many scripts it was asked to run.
    pub(crate) fn asked(&self) -> usize {
        self.script.lock().unwrap().asked
    }
}

impl Drop for Puppet {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(client: TcpStream, script: Arc<Mutex<Script>>) -> Option<()> {
    let mut client = BufReader::new(client);
    loop {
        let words = request(&mut client).await?;
        let answer = match words.first()?.as_str() {
            "INFO" => "$12\r\nrole:master\n\r\n".to_owned(),
            "CONFIG" => "*0\r\n".to_owned(),
            "EVALSHA" => {
                let mut script = script.lock().unwrap();
                let answer = script.answers[script.asked.min(script.answers.len() - 1)].clone();
                script.asked += 1;
                answer
            }
            _ => "+OK\r\n".to_owned(),
        };
        client.write_all(answer.as_bytes()).await.ok()?;
    }
}

/// The words of one request.
async fn request(client: &mut BufReader<TcpStream>) -> Option<Vec<String>> {
    let count = number(client, '*').await?;
    let mut words = Vec::new();
    for _ in 0..count {
        let mut word = vec![0; number(client, '$').await? + 2];
        client.read_exact(&mut word).await.ok()?;
        words.push(String::from_utf8_lossy(&word).trim_end().to_owned());
    }
    Some(words)
}

async fn number(client: &mut BufReader<TcpStream>, mark: char) -> Option<usize> {
    let mut line = String::new();
    client.read_line(&mut line).await.ok()?;
    line.trim_end().strip_prefix(mark)?.parse().ok()
}
