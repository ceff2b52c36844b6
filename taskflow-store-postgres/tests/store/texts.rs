//! Texts that an earlier release stored.

use sqlx::Executor;
use taskflow_conformance::workbench::noon;
use taskflow_core::ports::{Store, Tasks};
use taskflow_core::{Changes, NewTask, Scope, Task, TaskId, TaskQuery, TaskWrite};

use crate::world::World;

#[tokio::test]
async fn what_an_earlier_release_folded_is_found_without_accents_after_migrating() {
    let world = World::new().await;
    let ada = world.somebody("ada").await;
    let id: TaskId = "0198c0de-0000-7000-8000-000000000001".parse().expect("an id");
    let mut new = NewTask::titled("Müller & \u{200b}".parse().expect("a title"));
    new.description = Some("Über\nCafé".parse().expect("a description"));
    let task = Task::new(id, ada.id, new, noon()).expect("a task");
    world.store.commit(&Changes::new().write(TaskWrite::Insert(task.clone()))).await.expect("a task");
    let mut conn = world.connection().await;
    // As the rule before had it, and a title that the rules of today refuse.
    for statement in [
        "UPDATE taskflow.tasks SET search_text = 'mu\u{308}ller & \u{200b}
u\u{308}ber
cafe\u{301}'",
        "UPDATE taskflow.tasks SET title = '\u{200b}'",
        "UPDATE taskflow.search_refolds SET after = '00000000-0000-0000-0000-000000000000'",
    ] {
        conn.execute(statement).await.expect(statement);
    }
    let found = async |text| {
        let query = TaskQuery { words: TaskQuery::words(text), ..TaskQuery::default() };
        world.store.tasks(Scope::own(ada.id), &query, noon()).await.expect("a page").items
    };
    assert_eq!(found("muller").await.len(), 0);
    world.store.migrate().await.expect("migrated");
    for text in ["muller", "MÜLLER", "uber", "cafe &"] {
        let tasks = found(text).await;
        assert_eq!(tasks.len(), 1, "{text}");
        assert_eq!((tasks[0].title.as_str(), tasks[0].version), ("\u{200b}", 1), "it stays readable and as it was");
    }
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM taskflow.search_refolds WHERE after IS NOT NULL")
        .fetch_one(&mut conn)
        .await
        .expect("a count");
    assert_eq!(left, 0);
}
