//! Tokens as rows: each is used once, and goes with its owner.

use taskflow_conformance::workbench::noon;
use taskflow_core::ports::{Accounts, Ids, Store};
use taskflow_core::{Changes, StoreError, Token, TokenId, TokenPurpose, TokenWrite, User, UserWrite};

use crate::world::World;

fn token(world: &World, purpose: TokenPurpose, owner: &User) -> Token {
    let id = TokenId::from_uuid(world.ids.next(noon()));
    Token::new(id, purpose, owner.id, owner.email.clone(), noon())
}

#[tokio::test]
async fn a_token_is_used_once_and_goes_with_its_owner() {
    let world = World::new().await;
    let ada = world.somebody("ada").await;
    let tokens = TokenPurpose::ALL.map(|purpose| token(&world, purpose, &ada));
    let both = tokens.iter().cloned().map(TokenWrite::Insert).fold(Changes::new(), Changes::write);
    world.store.commit(&both).await.expect("tokens");
    for token in &tokens {
        assert_eq!(world.store.token(token.id).await.expect("a read").as_ref(), Some(token));
    }

    let id = tokens[0].id;
    let used = || Changes::new().write(TokenWrite::Use { id, at: noon() });
    world.store.commit(&used()).await.expect("used");
    assert_eq!(
        world.store.token(id).await.expect("a read"),
        Some(Token { used_at: Some(noon()), ..tokens[0].clone() })
    );
    let unknown = TokenId::from_uuid(world.ids.next(noon()));
    let unknown = Changes::new().write(TokenWrite::Use { id: unknown, at: noon() });
    for again in [used(), unknown] {
        let error = world.store.commit(&again).await.expect_err("good for once");
        assert!(matches!(error, StoreError::Stale { write: 0 }), "{error:?}");
    }

    let gone = Changes::new().write(UserWrite::Delete { id: ada.id, at: noon() });
    world.store.commit(&gone).await.expect("gone");
    for token in &tokens {
        assert_eq!(world.store.token(token.id).await.expect("a read"), None);
    }
    let late = Changes::new().write(TokenWrite::Insert(token(&world, TokenPurpose::ResetPassword, &ada)));
    assert!(matches!(world.store.commit(&late).await, Err(StoreError::Stale { write: 0 })));
}
