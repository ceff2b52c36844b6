//! The address: bound before anything else is touched, listened to when everything is ready.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

use crate::cli::failure::Failure;
use crate::config::Config;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;

/// Maximum size, in bytes, of responses that the operating system buffers for a client that does not read them (Linux
/// takes twice as much). By default it buffers megabytes for each client.
const UNREAD: u32 = 128 * 1024;

/// Takes the first address of the host that can be had; nobody can connect yet.
pub(super) async fn bind(config: &Config) -> Result<TcpSocket, Failure> {
    let found = tokio::net::lookup_host((config.host.as_str(), config.port)).await;
    let found = found.map_err(|error| {
        Failure::new(format!("cannot find the address of {}: {error}", config.host))
            .advise("set HOST to an address of this machine, for example 127.0.0.1")
    })?;
    let mut addresses: Vec<SocketAddr> = found.collect();
    // `localhost` has two addresses, and more clients find the older one.
    addresses.sort_by_key(SocketAddr::is_ipv6);
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match try_bind(address) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(refused(&last, config))
}

fn try_bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Connections of a server that just ended do not keep the next one from starting.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    // Connections inherit it. Where it cannot be set, clients are served all the same.
    let _ = socket.set_send_buffer_size(UNREAD);
    socket.bind(address)?;
    Ok(socket)
}

/// The port it became.
pub(super) fn port(socket: &TcpSocket) -> Result<u16, Failure> {
    let address = socket.local_addr().map_err(|error| Failure::of("cannot find out the port", &error))?;
    Ok(address.port())
}

/// Lets clients connect.
pub(super) fn listen(socket: TcpSocket, config: &Config) -> Result<TcpListener, Failure> {
    socket.listen(BACKLOG).map_err(|error| refused(&error, config))
}

fn refused(error: &io::Error, config: &Config) -> Failure {
    let Config { host, port, .. } = config;
    match error.kind() {
        io::ErrorKind::AddrInUse => Failure::new(format!("port {port} of {host} is in use by another program"))
            .advise("stop that program, or take another port: taskflow --port 8001 (0: any free one)"),
        io::ErrorKind::PermissionDenied => Failure::new(format!("this user may not listen on port {port}"))
            .advise("take a port from 1024 on: taskflow --port 8000"),
        io::ErrorKind::AddrNotAvailable => Failure::new(format!("{host} is no address of this machine"))
            .advise("set HOST to 127.0.0.1 (this machine only) or 0.0.0.0 (everybody)"),
        _ => Failure::new(format!("cannot listen on port {port} of {host}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Need, Sources};

    fn config(host: &str, port: u16) -> Config {
        let text = format!("DATABASE_URL=memory:\nDEBUG=true\nHOST={host}\nPORT={port}");
        Config::load(Sources::none().with_dot_env(&text), Need::Manage).expect("valid")
    }

    #[tokio::test]
    async fn nobody_can_connect_before_it_listens() {
        let config = config("localhost", 0);
        let socket = bind(&config).await.expect("bound");
        let port = port(&socket).expect("a port");
        assert_ne!(port, 0);
        assert!(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err());
        let listener = listen(socket, &config).expect("listening");
        tokio::net::TcpStream::connect(listener.local_addr().expect("an address")).await.expect("connected");
    }

    #[tokio::test]
    async fn a_port_in_use_is_named_with_a_way_out() {
        let taken = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let port = taken.local_addr().expect("an address").port();
        let failure = bind(&config("127.0.0.1", port)).await.expect_err("taken");
        let text = format!("{failure:?}");
        assert!(
            text.contains(&format!("port {port} of 127.0.0.1 is in use")) && text.contains("--port 8001"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_named() {
        let failure = bind(&config("203.0.113.9", 0)).await.expect_err("not ours");
        assert!(format!("{failure:?}").contains("no address of this machine"));
    }
}
