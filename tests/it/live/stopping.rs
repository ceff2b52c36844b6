//! How conversations end when the server does.

use std::time::Duration;

use serde_json::json;
use taskflow::ports::{Clock, SystemClock};

use taskflow_testkit::live::{Events, Handshake, Socket};
use taskflow_testkit::server::Server;

#[tokio::test]
async fn who_follows_is_told_that_the_server_stops_and_it_stops_soon() {
    let server = Server::start(&[]).await;
    let ada = server.person("ada").await;
    let (mut sockets, mut streams) = (Vec::new(), Vec::new());
    for _ in 0..49 {
        sockets.push(Socket::follow(&server, &ada.token).await.0);
    }
    // One that does not read what there is, and one that has not said who it is.
    let mut lazy = Handshake::of(&server, "/ws").token(&ada.token).window(4096).open().await;
    assert_eq!(lazy.said().await["type"], "ready");
    let mut stranger = Handshake::of(&server, "/ws").open().await;
    for _ in 0..5 {
        let mut stream = Events::follow(&server, &ada.token, "").await;
        assert_eq!(stream.said().await["type"], "ready");
        streams.push(stream);
    }
    for _ in 0..50 {
        ada.task(json!({ "title": "at the last moment", "description": "x".repeat(10_000) })).await;
    }
    let clock = SystemClock::new();
    let (ended, ()) = tokio::join!(server.terminate(), async {
        for socket in &mut sockets {
            assert_eq!(socket.closed().await, 1001);
        }
        for stream in &mut streams {
            assert_eq!(stream.closed().await, 1001);
        }
        assert_eq!(stranger.closed().await, 1001);
    });
    let (status, log) = ended;
    assert!(status.success(), "{log}");
    assert!(!log.contains("cut off"), "{log}");
    let took = clock.monotonic();
    assert!(took < Duration::from_secs(10), "{took:?}");
    drop(lazy);
}
