use std::collections::BTreeMap;

use super::*;

const CLUSTER: f64 = 30.0;

fn heartbeat(id: &str, rate: f64) -> Heartbeat {
    Heartbeat {
        id: id.parse().expect("a name"),
        version: "1.0.0".to_owned(),
        started_at: Timestamp::from_micros(0),
        sends_mail: true,
        clock_ahead: None,
        mail_rate: Some(rate),
    }
}

fn live(said: Heartbeat) -> Node {
    Node { said, silent_for: Duration::ZERO, is_live: true }
}

#[test]
fn names_are_short_and_plain() {
    for text in ["a", "node-1.eu_west", &"x".repeat(64)] {
        assert_eq!(text.parse::<NodeId>().map(|id| id.to_string()), Ok(text.to_owned()));
    }
    for text in ["", "a b", "ä", "a/b", "a\n", &"x".repeat(65)] {
        assert!(text.parse::<NodeId>().is_err(), "{text:?}");
    }
}

#[test]
fn who_is_alone_has_all_of_it_after_one_heartbeat() {
    let mut share = Share::of(CLUSTER);
    assert_eq!(share.used(), 0.0);
    let said = heartbeat("a", share.claim());
    share.decide(&said, &[live(said.clone())]);
    assert_eq!((share.used(), share.claim()), (CLUSTER, CLUSTER));
}

#[test]
fn who_joins_waits_until_the_others_have_made_room() {
    let (mut a, mut b) = (Share::of(CLUSTER), Share::of(CLUSTER));
    let nodes = |a: f64, b: f64| [live(heartbeat("a", a)), live(heartbeat("b", b))];
    a.decide(&heartbeat("a", a.claim()), &[live(heartbeat("a", CLUSTER))]);
    b.decide(&heartbeat("b", CLUSTER), &nodes(CLUSTER, CLUSTER));
    assert_eq!((b.used(), b.claim()), (0.0, 15.0));
    b.decide(&heartbeat("b", 15.0), &nodes(CLUSTER, 15.0));
    assert_eq!(b.used(), 0.0, "the other one has not heard of it");
    a.decide(&heartbeat("a", CLUSTER), &nodes(CLUSTER, 15.0));
    assert_eq!((a.used(), a.claim()), (15.0, 15.0));
    b.decide(&heartbeat("b", 15.0), &nodes(15.0, 15.0));
    assert_eq!(b.used(), 15.0);
}

#[test]
fn who_sends_no_mail_or_has_lapsed_takes_nothing_away() {
    let mut share = Share::of(CLUSTER);
    let said = heartbeat("a", CLUSTER);
    let idle = Heartbeat { sends_mail: false, mail_rate: None, ..heartbeat("b", 0.0) };
    let gone = Node { is_live: false, ..live(heartbeat("c", CLUSTER)) };
    share.decide(&said, &[live(said.clone()), live(idle), gone]);
    assert_eq!(share.used(), CLUSTER);
}

#[test]
fn a_process_whose_name_was_taken_has_nothing() {
    let mut share = Share::of(CLUSTER);
    let said = heartbeat("a", CLUSTER);
    share.decide(&said, &[live(said.clone())]);
    let other = Heartbeat { started_at: Timestamp::from_micros(1), ..said.clone() };
    share.decide(&said, &[live(other)]);
    assert_eq!(share.used(), 0.0);
}

/// The same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// A node between writing its heartbeat and applying the result.
struct Process {
    share: Share,
    wrote: Option<Heartbeat>,
    read: Option<Vec<Node>>,
}

/// Nodes write, read and decide in any order; they come, and they leave between their steps.
#[test]
fn in_sum_it_is_never_more_than_the_rate_and_soon_all_of_it_whoever_comes_and_goes() {
    let mut chance = Chance(7);
    let mut rows: BTreeMap<NodeId, Node> = BTreeMap::new();
    let mut processes: BTreeMap<NodeId, Process> = BTreeMap::new();
    let sum = |processes: &BTreeMap<NodeId, Process>| processes.values().map(|one| one.share.used()).sum::<f64>();
    let (mut most, mut full) = (0_usize, 0_usize);
    for round in 0..200_000_u64 {
        // Between storms it is quiet, so that all can agree.
        let storm = (round / 500) % 2 == 0;
        if storm && chance.below(20) == 0 {
            let id: NodeId = format!("n{}", chance.below(7)).parse().expect("a name");
            if processes.remove(&id).is_some() {
                rows.remove(&id);
            } else {
                processes.insert(id, Process { share: Share::of(CLUSTER), wrote: None, read: None });
            }
        }
        let Some(id) = processes.keys().nth(chance.below(7) as usize).cloned() else { continue };
        let process = processes.get_mut(&id).expect("it is there");
        match (process.wrote.take(), process.read.take()) {
            (None, _) => {
                let said = heartbeat(id.as_str(), process.share.claim());
                rows.insert(id, live(said.clone()));
                process.wrote = Some(said);
            }
            (wrote, None) => {
                process.wrote = wrote;
                process.read = Some(rows.values().cloned().collect());
            }
            (Some(said), Some(nodes)) => process.share.decide(&said, &nodes),
        }
        let used = sum(&processes);
        assert!(used <= CLUSTER * (1.0 + 1e-6), "{used} in round {round}");
        most = most.max(processes.len());
        if round % 1000 == 999 && !processes.is_empty() {
            assert!((used - CLUSTER).abs() < 1e-6, "{used} of {} nodes in round {round}", processes.len());
            full += 1;
        }
    }
    assert!(most >= 5 && full >= 50, "{most} nodes, {full} times");
}
