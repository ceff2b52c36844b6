//! People who run the service.

use taskflow_testkit::server::{Person, Server};

/// Registers `name` and makes an administrator of them, as whoever has the machine does.
pub(crate) async fn admin<'a>(server: &'a Server, name: &str) -> Person<'a> {
    let person = server.person(name).await;
    let database = server.database_url();
    let mut command = taskflow_testkit::server::taskflow(&server.folder, &[("DATABASE_URL", &database)]);
    let output = command.args(["user", "admin", name]).output().expect("an end");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    person
}
