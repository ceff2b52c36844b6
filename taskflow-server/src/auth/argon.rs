//! argon2id over memory that goes back to the operating system after each hash.

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::password_hash::{Error, Result, try_generate_salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};

/// The size from which allocators map memory and unmap it when it is freed: above the largest threshold of glibc,
/// 32 MiB. Smaller blocks would stay with each thread that ever ran a hash, 19 MiB each. What is asked for and not
/// used costs nothing.
const MAPPED: usize = 33 * 1024 * 1024;

/// The hash of a password with a fresh salt and the default parameters, as a PHC string.
pub(super) fn hash(password: &[u8]) -> Result<String> {
    let salt = try_generate_salt().map_err(|_| Error::Crypto)?;
    hash_with_salt(password, &salt)
}

/// The same with a given salt.
pub(super) fn hash_with_salt(password: &[u8], salt: &[u8]) -> Result<String> {
    let (algorithm, version, params) = (Algorithm::default(), Version::default(), Params::default());
    let hash = PasswordHash {
        algorithm: algorithm.ident(),
        version: Some(version.into()),
        params: ParamsString::try_from(&params)?,
        salt: Some(Salt::new(salt)?),
        hash: Some(output(&Argon2::new(algorithm, version, params), password, salt)?),
    };
    Ok(hash.to_string())
}

/// Returns whether `hash`, a PHC string with any parameters, is the hash of `password`.
pub(super) fn verify(password: &[u8], hash: &str) -> Result<bool> {
    let hash = PasswordHash::new(hash)?;
    let (Some(salt), Some(expected)) = (&hash.salt, &hash.hash) else { return Ok(false) };
    let algorithm = Algorithm::try_from(hash.algorithm.as_str())?;
    let version = hash.version.map_or(Ok(Version::default()), Version::try_from)?;
    let argon = Argon2::new(algorithm, version, Params::try_from(&hash)?);
    // The comparison takes the same time wherever the two differ.
    Ok(output(&argon, password, salt)? == *expected)
}

fn output(argon: &Argon2<'_>, password: &[u8], salt: &[u8]) -> Result<Output> {
    let blocks = argon.params().block_count();
    let mut memory = Vec::with_capacity(blocks.max(MAPPED / size_of::<Block>()));
    memory.resize(blocks, Block::default());
    let mut bytes = [0; Output::MAX_LENGTH];
    let length = argon.params().output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
    let bytes = bytes.get_mut(..length).ok_or(Error::OutputSize)?;
    argon.hash_password_into_with_memory(password, salt, bytes, memory.as_mut_slice())?;
    Ok(Output::new(bytes)?)
}

#[cfg(test)]
mod tests {
    use argon2::{PasswordHasher, PasswordVerifier};

    use super::*;

    #[test]
    fn it_agrees_with_the_library() {
        let ours = hash(b"password123").expect("a hash");
        assert_eq!(PasswordVerifier::<str>::verify_password(&Argon2::default(), b"password123", &ours), Ok(()));
        let small = Params::new(64, 3, 1, None).expect("fits");
        let theirs = Argon2::new(Algorithm::Argon2id, Version::V0x13, small).hash_password(b"password123");
        let theirs = theirs.expect("a hash").to_string();
        assert_eq!(verify(b"password123", &theirs), Ok(true));
        assert_eq!(verify(b"password124", &theirs), Ok(false));
        assert!(verify(b"password123", "$2b$12$abc").is_err() && verify(b"x", "").is_err());
    }
}
