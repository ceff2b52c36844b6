use std::sync::Arc;
use std::time::Duration;

use taskflow_core::ports::Storage;
use taskflow_core::{
    Changes, PageRequest, ReminderMinutes, Scope, StoreError, Task, TaskPriority, TaskQuery, TaskSort, TaskSortKey,
    TaskStatus, TaskSummary, TaskWrite, Viewer,
};

use crate::OpenStore;
use crate::sample::{at, noon, task, task_id, user_id, users};

/// Two people and these tasks.
async fn with_tasks(open: &dyn OpenStore, tasks: impl IntoIterator<Item = Task>) -> Arc<dyn Storage> {
    let store = open.storage();
    let insert = |changes: Changes, task| changes.write(TaskWrite::Insert(task));
    store.commit(&tasks.into_iter().fold(users([1, 2]), insert)).await.expect("tasks");
    store
}

/// The numbers of the tasks of user 1 that a query finds, in its order.
async fn found(store: &Arc<dyn Storage>, query: &TaskQuery) -> Vec<u64> {
    let page = store.tasks(Scope::own(user_id(1)), query, noon()).await.expect("a page");
    let number = |task: &Task| (1..100).find(|n| task_id(*n) == task.id).expect("a task of this case");
    page.items.iter().map(number).collect()
}

fn completed(task: Task) -> Task {
    Task { status: TaskStatus::Completed, completed_at: Some(noon()), ..task }
}

pub(super) async fn a_task_round_trips_with_and_without_its_optional_fields(open: Arc<dyn OpenStore>) {
    let full = Task {
        title: "\u{1F600} O'Neil; \"quoted\" \\ %_".parse().expect("a title"),
        description: Some("line\r\n\tline \u{1F600}".parse().expect("a description")),
        priority: TaskPriority::High,
        due_at: Some(at("2027-02-28T23:59:59.999999Z")),
        reminder_minutes: Some(ReminderMinutes::new(40_320).expect("fits")),
        deleted_at: Some(noon() + Duration::from_micros(1)),
        version: 1,
        ..completed(task(1, 1))
    };
    let empty = Task { description: Some("".parse().expect("a description")), ..task(3, 1) };
    let store = with_tasks(&*open, [full.clone(), task(2, 1), empty.clone()]).await;
    for expected in [full, task(2, 1), empty] {
        assert_eq!(store.task(Scope::own(user_id(1)), expected.id).await.expect("a read"), Some(expected));
    }
}

pub(super) async fn a_task_of_another_owner_is_absent(open: Arc<dyn OpenStore>) {
    let store = with_tasks(&*open, [task(1, 1)]).await;
    assert_eq!(store.task(Scope::own(user_id(2)), task_id(1)).await.expect("a read"), None);
    let theirs = store.tasks(Scope::own(user_id(2)), &TaskQuery::default(), noon()).await.expect("a page");
    assert_eq!((theirs.total, theirs.items.len()), (0, 0));
}

pub(super) async fn an_update_needs_the_version_before_it(open: Arc<dyn OpenStore>) {
    let store = with_tasks(&*open, [task(1, 1)]).await;
    let next = Task { version: 2, priority: TaskPriority::Low, ..completed(task(1, 1)) };
    store.commit(&Changes::new().write(TaskWrite::Update(next.clone()))).await.expect("the next version");
    for version in [1, 2, 4] {
        let other = Task { version, ..task(1, 1) };
        let error = store.commit(&Changes::new().write(TaskWrite::Update(other))).await.expect_err("stale");
        assert!(matches!(error, StoreError::Stale { write: 0 }), "{version}: {error:?}");
    }
    assert_eq!(store.task(Scope::own(user_id(1)), task_id(1)).await.expect("a read"), Some(next));
}

pub(super) async fn tasks_are_loaded_at_once_and_unknown_ids_are_left_out(open: Arc<dyn OpenStore>) {
    let trashed = Task { deleted_at: Some(noon()), ..task(3, 1) };
    let store = with_tasks(&*open, [task(1, 1), task(2, 2), trashed.clone()]).await;
    let loaded = store.tasks_by_id(&[task_id(2), task_id(3), task_id(9)], Viewer::Service).await.expect("a read");
    assert_eq!(loaded.len(), 2);
    assert_eq!(loaded[&task_id(2)], Ok(task(2, 2)));
    assert_eq!(loaded[&task_id(3)], Ok(trashed.clone()));
    let hers =
        store.tasks_by_id(&[task_id(2), task_id(3)], Viewer::Person(Scope::own(user_id(1)))).await.expect("a read");
    assert_eq!(hers.len(), 1);
    assert_eq!(hers[&task_id(3)], Ok(trashed));
}

pub(super) async fn the_newest_come_first_without_a_sort(open: Arc<dyn OpenStore>) {
    let made = |n, seconds| Task { created_at: noon() + Duration::from_secs(seconds), ..task(n, 1) };
    let store = with_tasks(&*open, [made(1, 5), made(2, 9), made(3, 1), made(4, 5)]).await;
    assert_eq!(found(&store, &TaskQuery::default()).await, [2, 4, 1, 3]);
}

pub(super) async fn filters_narrow_the_list_and_count_together(open: Arc<dyn OpenStore>) {
    let urgent = |task| Task { priority: TaskPriority::High, ..task };
    let begun = |task| Task { status: TaskStatus::InProgress, ..task };
    let tasks = [task(1, 1), urgent(task(2, 1)), begun(task(3, 1)), urgent(begun(task(4, 1))), completed(task(5, 1))];
    let store = with_tasks(&*open, tasks).await;
    let of = |status: Option<TaskStatus>, priority: Option<TaskPriority>| TaskQuery {
        status: status.into_iter().collect(),
        priority: priority.into_iter().collect(),
        ..TaskQuery::default()
    };
    assert_eq!(found(&store, &of(Some(TaskStatus::InProgress), None)).await, [4, 3]);
    assert_eq!(found(&store, &of(None, Some(TaskPriority::High))).await, [4, 2]);
    assert_eq!(found(&store, &of(Some(TaskStatus::InProgress), Some(TaskPriority::High))).await, [4]);
    assert_eq!(found(&store, &of(Some(TaskStatus::Completed), Some(TaskPriority::High))).await, [0; 0]);
    assert_eq!(found(&store, &of(Some(TaskStatus::Completed), None)).await, [5]);
    let (open, any) = (vec![TaskStatus::Pending, TaskStatus::InProgress], TaskPriority::ALL.to_vec());
    assert_eq!(found(&store, &TaskQuery { status: open.clone(), ..TaskQuery::default() }).await, [4, 3, 2, 1]);
    assert_eq!(found(&store, &TaskQuery { priority: any, ..TaskQuery::default() }).await, [5, 4, 3, 2, 1]);
    let urgent = TaskQuery { status: open, priority: vec![TaskPriority::High], ..TaskQuery::default() };
    assert_eq!(found(&store, &urgent).await, [4, 2]);
}

pub(super) async fn due_bounds_include_the_first_instant_and_exclude_the_last(open: Arc<dyn OpenStore>) {
    let due = |n, micros| Task { due_at: Some(noon() + Duration::from_micros(micros)), ..task(n, 1) };
    let store = with_tasks(&*open, [due(1, 0), due(2, 1), due(3, 2), task(4, 1)]).await;
    let one = noon() + Duration::from_micros(1);
    let before = TaskQuery { due_before: Some(one), ..TaskQuery::default() };
    let after = TaskQuery { due_after: Some(one), ..TaskQuery::default() };
    assert_eq!(found(&store, &before).await, [1]);
    assert_eq!(found(&store, &after).await, [3, 2]);
    let between =
        TaskQuery { due_after: Some(one), due_before: Some(one + Duration::from_micros(1)), ..TaskQuery::default() };
    assert_eq!(found(&store, &between).await, [2]);
}

pub(super) async fn tasks_that_are_due_on_a_day_are_told_from_others(open: Arc<dyn OpenStore>) {
    let day = Task { due_on: Some("2026-11-22".parse().expect("a date")), due_at: Some(noon()), ..task(1, 1) };
    let time = Task { due_at: Some(noon()), ..task(2, 1) };
    let store = with_tasks(&*open, [day.clone(), time, task(3, 1)]).await;
    assert_eq!(store.task(Scope::own(user_id(1)), day.id).await.expect("a read"), Some(day.clone()));
    let whole_day = |whole_day| TaskQuery { whole_day: Some(whole_day), ..TaskQuery::default() };
    assert_eq!(found(&store, &whole_day(true)).await, [1]);
    assert_eq!(found(&store, &whole_day(false)).await, [3, 2]);
    let timed = Task { due_on: None, version: 2, ..day };
    store.commit(&Changes::new().write(TaskWrite::Update(timed))).await.expect("a change");
    assert_eq!(found(&store, &whole_day(true)).await, [0; 0]);
}

pub(super) async fn overdue_means_open_and_due_before_now(open: Arc<dyn OpenStore>) {
    let past = |task| Task { due_at: Some(noon() - Duration::from_micros(1)), ..task };
    let at_noon = Task { due_at: Some(noon()), ..task(4, 1) };
    let store = with_tasks(&*open, [past(task(1, 1)), past(completed(task(2, 1))), task(3, 1), at_noon]).await;
    let overdue = |overdue| TaskQuery { overdue: Some(overdue), ..TaskQuery::default() };
    assert_eq!(found(&store, &overdue(true)).await, [1]);
    assert_eq!(found(&store, &overdue(false)).await, [4, 3, 2]);
}

pub(super) async fn words_are_found_in_title_and_description_in_any_case_and_order(open: Arc<dyn OpenStore>) {
    let texts = |n, title: &str, description: Option<&str>| Task {
        title: title.parse().expect("a title"),
        description: description.map(|text| text.parse().expect("a description")),
        ..task(n, 1)
    };
    let store = with_tasks(
        &*open,
        [
            texts(1, "B\u{fc}rost\u{fc}hle STREICHEN", Some("blaue Farbe")),
            texts(2, "Farbe kaufen", None),
            texts(3, "nothing", Some("the blue CHAIR")),
        ],
    )
    .await;
    for (text, numbers) in [
        ("farbe", &[2, 1][..]),
        ("FARBE b\u{dc}ro", &[1]),
        ("chair blue", &[3]),
        ("streichen stuhl", &[1]),
        ("streichen tisch", &[]),
        ("", &[3, 2, 1]),
    ] {
        let query = TaskQuery { words: TaskQuery::words(text), ..TaskQuery::default() };
        assert_eq!(found(&store, &query).await, numbers, "{text}");
    }
}

pub(super) async fn words_are_found_without_regard_to_accents(open: Arc<dyn OpenStore>) {
    let titled = |n, title: &str| Task { title: title.parse().expect("a title"), ..task(n, 1) };
    let titles =
        ["Caf\u{e9}", "na\u{ef}ve plan", "M\u{fc}ller", "\u{130}stanbul", "K\u{f8}benhavn", "\u{304b}", "مُحَمَّد", "שָׁלוֹם"];
    let tasks = titles.iter().zip(1..).map(|(title, n)| titled(n, title)).collect::<Vec<_>>();
    let store = with_tasks(&*open, tasks).await;
    for (text, numbers) in [
        ("cafe", &[1][..]),
        ("CAFE\u{301}", &[1]),
        ("naive", &[2]),
        ("na\u{ef}ve", &[2]),
        ("muller", &[3]),
        ("istanbul", &[4]),
        ("kobenhavn", &[5]),
        ("\u{304b}", &[6]),
        ("\u{304c}", &[]),
        ("محمد", &[7]),
        ("שלום", &[8]),
    ] {
        let query = TaskQuery { words: TaskQuery::words(text), ..TaskQuery::default() };
        assert_eq!(found(&store, &query).await, numbers, "{text}");
    }
}

pub(super) async fn search_signs_have_no_special_meaning(open: Arc<dyn OpenStore>) {
    let titled = |n, title: &str| Task { title: title.parse().expect("a title"), ..task(n, 1) };
    let store =
        with_tasks(&*open, [titled(1, "100%"), titled(2, "a_b"), titled(3, "O'Neil \\ \"x\""), titled(4, "1000")])
            .await;
    for (text, numbers) in
        [("100%", &[1][..]), ("_", &[2]), ("o'neil", &[3]), ("\\", &[3]), ("*", &[]), ("\"x\"", &[3])]
    {
        let query = TaskQuery { words: TaskQuery::words(text), ..TaskQuery::default() };
        assert_eq!(found(&store, &query).await, numbers, "{text}");
    }
}

pub(super) async fn every_sort_orders_both_ways_and_ties_by_id(open: Arc<dyn OpenStore>) {
    let later = |seconds| noon() + Duration::from_secs(seconds);
    let one = Task { title: "b".parse().expect("a title"), due_at: Some(later(9)), ..completed(task(1, 1)) };
    let two = Task {
        title: "A".parse().expect("a title"),
        created_at: later(1),
        status: TaskStatus::InProgress,
        ..task(2, 1)
    };
    let three = Task {
        title: "c".parse().expect("a title"),
        due_at: Some(later(5)),
        priority: TaskPriority::High,
        updated_at: later(3),
        ..task(3, 1)
    };
    let four = Task { title: "a".parse().expect("a title"), priority: TaskPriority::Low, ..task(4, 1) };
    let store = with_tasks(&*open, [one, two, three, four]).await;
    for (by, up, down) in [
        (TaskSortKey::CreatedAt, [4, 3, 1, 2], [2, 4, 3, 1]),
        (TaskSortKey::UpdatedAt, [4, 2, 1, 3], [3, 4, 2, 1]),
        (TaskSortKey::DueAt, [3, 1, 4, 2], [1, 3, 4, 2]),
        (TaskSortKey::Priority, [4, 2, 1, 3], [3, 2, 1, 4]),
        (TaskSortKey::Status, [4, 3, 2, 1], [1, 2, 4, 3]),
        (TaskSortKey::Title, [4, 2, 1, 3], [3, 1, 4, 2]),
    ] {
        for (descending, expected) in [(false, up), (true, down)] {
            let query = TaskQuery { sort: vec![TaskSort { by, descending }], ..TaskQuery::default() };
            assert_eq!(found(&store, &query).await, expected, "{by:?} descending: {descending}");
        }
    }
    let sort = ["-priority", "title"].map(|word| word.parse().expect("a sort")).to_vec();
    assert_eq!(found(&store, &TaskQuery { sort, ..TaskQuery::default() }).await, [3, 2, 1, 4]);
}

pub(super) async fn pages_count_everything_and_end_empty(open: Arc<dyn OpenStore>) {
    let store = with_tasks(&*open, (1..=5).map(|n| task(n, 1)).chain([task(6, 2)])).await;
    for (page, numbers) in [(1, &[5, 4][..]), (2, &[3, 2]), (3, &[1]), (4, &[]), (PageRequest::MAX_PAGE, &[])] {
        let query = TaskQuery { page: PageRequest::new(page, 2).expect("a page"), ..TaskQuery::default() };
        assert_eq!(found(&store, &query).await, numbers);
        let page = store.tasks(Scope::own(user_id(1)), &query, noon()).await.expect("a page");
        assert_eq!((page.total, page.request), (5, query.page));
    }
}

pub(super) async fn the_trash_is_a_list_of_its_own(open: Arc<dyn OpenStore>) {
    let trashed = Task { deleted_at: Some(noon()), ..task(2, 1) };
    let store = with_tasks(&*open, [task(1, 1), trashed]).await;
    assert_eq!(found(&store, &TaskQuery::default()).await, [1]);
    assert_eq!(found(&store, &TaskQuery { trash: true, ..TaskQuery::default() }).await, [2]);
}

pub(super) async fn the_summary_counts_by_status_and_leaves_out_the_trash(open: Arc<dyn OpenStore>) {
    let late = |task| Task { due_at: Some(noon() - Duration::from_secs(1)), ..task };
    let begun = Task { status: TaskStatus::InProgress, ..task(3, 1) };
    let trashed = Task { deleted_at: Some(noon()), ..late(task(5, 1)) };
    let tasks = [task(1, 1), late(task(2, 1)), begun, late(completed(task(4, 1))), trashed, task(6, 2)];
    let store = with_tasks(&*open, tasks).await;
    let expected = TaskSummary { total: 4, pending: 2, in_progress: 1, completed: 1, overdue: 1 };
    assert_eq!(store.task_summary(Scope::own(user_id(1)), noon()).await.expect("a read"), expected);
    assert_eq!(store.task_summary(Scope::own(user_id(9)), noon()).await.expect("a read"), TaskSummary::default());
}
