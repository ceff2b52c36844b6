//! The processes that share the work, for administrators.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use taskflow_core::{Node, NodeId, Timestamp};

use super::admin::Admin;
use super::list::PageSize;
use super::{ApiError, Field, Group, Val, ValidationErrors};
use crate::service::Service;

pub(super) struct NodesApi;

/// A page of nodes, by name.
#[derive(Debug, Object)]
#[oai(rename = "NodeList", skip_serializing_if_is_none)]
struct ListBody {
    /// The items on this page.
    items: Vec<NodeBody>,
    /// The `cursor` of the next page; absent at the end.
    next: Option<Val<NodeId>>,
}

/// A process that shares the work.
#[derive(Debug, Object)]
#[oai(rename = "Node", skip_serializing_if_is_none)]
struct NodeBody {
    /// Name of the node, as in its logs.
    id: Val<NodeId>,
    /// The release that it runs.
    version: String,
    /// When it was started, by its own clock.
    started_at: Val<Timestamp>,
    /// Time of its last heartbeat.
    seen_at: Val<Timestamp>,
    /// Whether it is alive: it sends a heartbeat every few seconds.
    live: bool,
    /// Whether it takes part in sending mail.
    sends_mail: bool,
    /// Its share of the rate that all nodes have together, in mails per second; absent without such a rate.
    #[oai(validator(minimum(value = "0")))]
    mails_per_second: Option<f64>,
    /// Seconds by which its clock is ahead of the database's, negative: behind; absent when the two are the same.
    clock_ahead_seconds: Option<f64>,
}

impl NodeBody {
    fn new(node: Node, now: Timestamp) -> Self {
        let Node { said, silent_for, is_live } = node;
        Self {
            id: Val(said.id),
            version: said.version,
            started_at: Val(said.started_at),
            // How long it has been silent is the database's word, which knows one clock for all.
            seen_at: Val(now - silent_for),
            live: is_live,
            sends_mail: said.sends_mail,
            mails_per_second: said.mail_rate,
            clock_ahead_seconds: said.clock_ahead.map(|ahead| ahead as f64 / 1e6),
        }
    }
}

#[OpenApi(prefix_path = "/api/nodes", tag = "Group::Health")]
impl NodesApi {
    /// List nodes
    ///
    /// For administrators: the processes that share the work, by name. A node that ended without notice stays listed
    /// for a day as not live.
    #[oai(path = "/", method = "get", operation_id = "listNodes")]
    async fn list(
        &self,
        admin: Admin,
        Data(service): Data<&Arc<Service>>,
        /// The page after this node: `next` of the page before.
        cursor: Query<Field<NodeId>>,
        /// Nodes on a page; 50 when left out.
        size: Query<Field<PageSize>>,
    ) -> Result<Json<ListBody>, ApiError> {
        let mut findings = ValidationErrors::default();
        let cursor = findings.optional("cursor", cursor.0);
        let size = findings.optional("size", size.0).unwrap_or_default();
        findings.finish(Some(()))?;
        let found = service.app.nodes().list_after(admin.actor(), cursor.as_ref(), size.and_one_more()).await?;
        let (page, next) = size.cut(found, |node| Val(node.said.id.clone()));
        let now = service.clock.now();
        Ok(Json(ListBody { items: page.into_iter().map(|node| NodeBody::new(node, now)).collect(), next }))
    }
}
