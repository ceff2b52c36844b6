//! `taskflow user`.

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::sync::Arc;

use taskflow_core::{
    Actor, EmailAddress, Error, Expect, Login, NewUser, PasswordHash, ProfileChange, StandingChange, User, Username,
};

use super::failure::Failure;
use super::output;
use crate::auth::Password;
use crate::config::{Config, Database};
use crate::wiring::{self, Opened};

#[derive(Debug, Clone, clap::Subcommand)]
pub(super) enum Command {
    /// Makes an account; asks on the terminal for what is not given.
    Create(Create),
    /// Lists all accounts, oldest first.
    List,
    /// Locks an account: nobody can sign in to it, and it gets no mail.
    Disable(Who),
    /// Unlocks an account.
    Enable(Who),
    /// Makes an account one that may run the service.
    Admin {
        #[command(flatten)]
        who: Who,
        /// Takes that away instead.
        #[arg(long)]
        off: bool,
    },
    /// Sets another password; who is signed in with the old one no longer is.
    Passwd {
        #[command(flatten)]
        who: Who,
        #[command(flatten)]
        password: GivenPassword,
    },
}

#[derive(Debug, Clone, clap::Args)]
pub(super) struct Create {
    /// The account may run the service.
    #[arg(long)]
    pub(super) admin: bool,
    /// Name to sign in with: 3 to 50 letters, digits, '.', '_' or '-'.
    #[arg(long)]
    pub(super) username: Option<String>,
    /// Address that mail goes to.
    #[arg(long)]
    pub(super) email: Option<String>,
    #[command(flatten)]
    pub(super) password: GivenPassword,
}

#[derive(Debug, Clone, clap::Args)]
pub(super) struct Who {
    /// Name or address of the account.
    #[arg(value_name = "NAME|EMAIL")]
    pub(super) login: String,
}

#[derive(Clone, clap::Args)]
pub(super) struct GivenPassword {
    /// The password; others on this machine may see it in the list of processes.
    #[arg(long, conflicts_with = "password_stdin")]
    pub(super) password: Option<String>,
    /// Reads the password from the first line of standard input.
    #[arg(long)]
    pub(super) password_stdin: bool,
}

impl std::fmt::Debug for GivenPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let password = self.password.as_ref().map(|_| "***");
        f.debug_struct("GivenPassword").field("password", &password).field("stdin", &self.password_stdin).finish()
    }
}

pub(super) async fn run(command: Command, config: &Arc<Config>) -> Result<(), Failure> {
    if config.database == Database::Memory {
        return Err(Failure::new("memory: holds accounts only as long as the server runs").advise(
            "register by the API of the running server, or set DATABASE_URL, for example to sqlite://taskflow.db",
        ));
    }
    let opened = wiring::open(config).await?;
    let result = match command {
        Command::Create(create) => self::create(create, config, &opened).await,
        Command::List => list(&opened).await,
        Command::Disable(who) => set_active(&who, false, &opened).await,
        Command::Enable(who) => set_active(&who, true, &opened).await,
        Command::Admin { who, off } => set_admin(&who, !off, &opened).await,
        Command::Passwd { who, password } => passwd(&who, password, config, &opened).await,
    };
    opened.close().await;
    result
}

async fn create(create: Create, config: &Config, opened: &Opened) -> Result<(), Failure> {
    let username = given_or_asked(create.username, "--username", "Username")?;
    let email = given_or_asked(create.email, "--email", "E-mail")?;
    let password = create.password.read(CREATE)?;

    // Everything is checked before anything is said, so that one more try is enough.
    let mut problems = Vec::new();
    let mut note = |field: &str, message: String| problems.push(format!("{field} {message}"));
    let name: Option<Username> = username.parse().map_err(|error| note("username", format!("{error}"))).ok();
    let address: Option<EmailAddress> = email.parse().map_err(|error| note("email", format!("{error}"))).ok();
    let hash =
        hash(&password, vec![username.clone(), email], config).await?.map_err(|text| note("password", text)).ok();
    let (Some(username), Some(email), Some(hash)) = (name, address, hash) else { return Err(refused(&problems)) };

    let new = NewUser { username, email, time_zone: None, locale: None, is_admin: create.admin };
    let user = match opened.app.register_user(new, Some(hash)).await {
        Err(Error::Taken(field)) => {
            return Err(Failure::new(format!("no account was made: the {field} is already taken"))
                .advise("choose another, or see: taskflow user list"));
        }
        result => result.map_err(|error| Failure::of("cannot make the account", &error))?,
    };
    // Whoever runs the service knows whom they make an account for.
    let vouched = opened.app.vouch_for_email(Actor::System, user.id).await;
    vouched.map_err(|error| Failure::of("made the account, and cannot take its address for verified", &error))?;
    let kind = if user.is_admin { "administrator" } else { "account" };
    output::line(&format!("made {kind} {} <{}>", user.username, user.email))?;
    output::line(match (&config.smtp, config.mailbox) {
        (Some(_), _) => "the welcome mail leaves as soon as the server runs",
        (None, true) => "there is no relay: the welcome mail goes to the page /mailbox when the server runs",
        (None, false) => "there is no relay: the welcome mail waits in the outbox until SMTP_SERVER is set",
    })
}

async fn list(opened: &Opened) -> Result<(), Failure> {
    let mut rows = vec![["USERNAME", "EMAIL", "ROLE", "STATE", "SINCE", "ID"].map(str::to_owned).to_vec()];
    rows.extend(all(opened).await?.iter().map(row));
    match rows.len() {
        1 => output::line("there is no account yet; make one with: taskflow user create --admin"),
        _ => output::line(&output::table(&rows)),
    }
}

/// Accounts read at once.
const PAGE: u32 = 500;

async fn all(opened: &Opened) -> Result<Vec<User>, Failure> {
    let mut users: Vec<User> = Vec::new();
    loop {
        let page = opened.app.users_after(users.last().map(|user| user.id), PAGE).await;
        let page = page.map_err(|error| Failure::of("cannot list the accounts", &error))?;
        let last = page.len() < PAGE as usize;
        users.extend(page);
        if last {
            return Ok(users);
        }
    }
}

fn row(user: &User) -> Vec<String> {
    let role = if user.is_admin { "admin" } else { "user" };
    let state = if user.is_active { "active" } else { "disabled" };
    let since = user.created_at.to_string().chars().take(10).collect();
    vec![user.username.to_string(), user.email.to_string(), role.into(), state.into(), since, user.id.to_string()]
}

async fn set_active(who: &Who, active: bool, opened: &Opened) -> Result<(), Failure> {
    let change = StandingChange { is_active: Some(active), is_admin: None };
    set_standing(who, change, if active { "active" } else { "disabled" }, opened).await
}

async fn set_admin(who: &Who, admin: bool, opened: &Opened) -> Result<(), Failure> {
    let change = StandingChange { is_active: None, is_admin: Some(admin) };
    set_standing(who, change, if admin { "an administrator" } else { "no administrator" }, opened).await
}

/// Changes what somebody may do, and says so when nobody may run the service any more.
async fn set_standing(who: &Who, change: StandingChange, now: &str, opened: &Opened) -> Result<(), Failure> {
    let rules = |user: &User| user.is_admin && user.is_active;
    let before = find(who, opened).await?;
    let changed = opened.app.set_standing(Actor::System, before.id, change).await;
    let after = changed.map_err(|error| Failure::of("cannot change the account", &error))?;
    output::line(&format!("{} is {now} now", after.username))?;
    if rules(&before) && !rules(&after) && !all(opened).await?.iter().any(rules) {
        output::line("note: no active administrator is left; name one with: taskflow user admin NAME")?;
    }
    Ok(())
}

async fn passwd(who: &Who, password: GivenPassword, config: &Config, opened: &Opened) -> Result<(), Failure> {
    let user = find(who, opened).await?;
    let password = password.read(PASSWD)?;
    let inputs = vec![user.username.to_string(), user.email.to_string()];
    let hash = hash(&password, inputs, config).await?.map_err(|text| refused(&[format!("password {text}")]))?;
    let change = ProfileChange { password: Some(hash), ..ProfileChange::default() };
    let changed = opened.app.update_profile(Actor::System, user.id, change, Expect::Any).await;
    changed.map_err(|error| Failure::of("cannot set the password", &error))?;
    output::line(&format!("{} has another password now; {} is told by mail", user.username, user.email))
}

async fn find(who: &Who, opened: &Opened) -> Result<User, Failure> {
    let account = opened.accounts().account(&Login::parse(&who.login)).await;
    let account = account.map_err(|error| Failure::of("cannot look the account up", &error))?;
    let absent = || Failure::new(format!("there is no account {:?}", who.login)).advise("see: taskflow user list");
    account.map(|account| account.user).ok_or_else(absent)
}

/// The hash of a good password; the inner error says what would be right.
async fn hash(text: &str, inputs: Vec<String>, config: &Config) -> Result<Result<PasswordHash, String>, Failure> {
    let password = match Password::new(text) {
        Ok(password) => password,
        Err(message) => return Ok(Err(message)),
    };
    let passwords = wiring::passwords(config);
    if let Some(objection) = passwords.objection(&password, inputs).await {
        return Ok(Err(objection));
    }
    passwords.hash(&password).await.map(Ok).map_err(|error| Failure::of("cannot hash the password", &error))
}

fn refused(problems: &[String]) -> Failure {
    let list: String = problems.iter().map(|problem| format!("\n    {problem}")).collect();
    Failure::new(format!("nothing was changed:{list}"))
}

impl GivenPassword {
    /// `example` is the command at hand with its password from standard input.
    fn read(self, example: &str) -> Result<String, Failure> {
        if let Some(password) = self.password {
            return Ok(password);
        }
        if self.password_stdin {
            return first_line();
        }
        if !io::stdin().is_terminal() {
            return Err(missing("--password-stdin", example));
        }
        let ask = |prompt| rpassword::prompt_password(prompt).map_err(|error| unreadable(&error));
        let password = ask("Password: ")?;
        if ask("The same again: ")? == password { Ok(password) } else { Err(Failure::new("the two passwords differ")) }
    }
}

/// No line is read beyond what a password may have.
fn first_line() -> Result<String, Failure> {
    let mut line = String::new();
    io::stdin().lock().take(4096).read_line(&mut line).map_err(|error| unreadable(&error))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn given_or_asked(given: Option<String>, flag: &str, prompt: &str) -> Result<String, Failure> {
    if let Some(text) = given {
        return Ok(text);
    }
    if !io::stdin().is_terminal() {
        return Err(missing(flag, CREATE));
    }
    let mut line = String::new();
    let asked = write!(io::stderr(), "{prompt}: ").and_then(|()| io::stdin().lock().take(4096).read_line(&mut line));
    asked.map_err(|error| unreadable(&error))?;
    Ok(line.trim().to_owned())
}

/// How the commands are used without a terminal.
const CREATE: &str = "taskflow user create --username ada --email ada@example.org --password-stdin";
const PASSWD: &str = "taskflow user passwd ada --password-stdin";

fn missing(flag: &str, example: &str) -> Failure {
    Failure::new(format!("{flag} is missing, and there is no terminal to ask on"))
        .advise(format!("for example: echo PASSWORD | {example}"))
}

fn unreadable(error: &io::Error) -> Failure {
    Failure::new(format!("cannot read the answer: {error}"))
}
