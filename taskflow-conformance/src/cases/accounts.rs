use std::sync::Arc;

use taskflow_core::{Changes, Login, PasswordHash};

use crate::OpenStore;
use crate::sample::{credential, user, user_id, users};

pub(super) async fn an_account_is_found_by_name_or_address_in_any_case(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users([1, 2]).write(credential(1, "hash-1"))).await.expect("users");
    for typed in ["user-1", " USER-1 ", "User-1@EXAMPLE.org"] {
        let account = store.account(&Login::parse(typed)).await.expect("a read").expect(typed);
        assert_eq!(account.user, user(1));
        assert_eq!(account.password, Some(PasswordHash::new("hash-1")));
    }
    for typed in ["user-3", "", "user-1@", "user", "%"] {
        assert_eq!(store.account(&Login::parse(typed)).await.expect("a read"), None, "{typed}");
    }
}

pub(super) async fn a_credential_can_be_absent_and_replaced(open: Arc<dyn OpenStore>) {
    let store = open.storage();
    store.commit(&users([1])).await.expect("a user");
    let account = store.account(&Login::parse("user-1")).await.expect("a read").expect("an account");
    assert_eq!(account.password, None);
    assert_eq!(store.password(user_id(1)).await.expect("a read"), None);
    for hash in ["first", "second"] {
        store.commit(&Changes::new().write(credential(1, hash))).await.expect("a password");
        assert_eq!(store.password(user_id(1)).await.expect("a read"), Some(PasswordHash::new(hash)));
    }
}
