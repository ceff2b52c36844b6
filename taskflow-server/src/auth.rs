//! Who asks: passwords, access tokens and the person behind a request.

mod argon;
mod caller;
mod passwords;
mod sign_in;
mod tokens;

pub use caller::{Caller, SignedIn};
pub use passwords::{Password, PasswordError, Passwords};
pub use sign_in::sign_in;
pub use tokens::{AccessToken, Tokens, Verified};
