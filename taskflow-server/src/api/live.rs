//! Feeds as they grow: WebSockets (RFC 6455) and server-sent events over [`taskflow_runtime::live`].

mod close;
mod message;
mod request;
mod socket;
mod stream;

pub(super) use self::close::CloseReason;
pub(crate) use self::message::JsonEncoder;
pub(crate) use self::socket::Sockets;
pub(super) use self::stream::stream;
