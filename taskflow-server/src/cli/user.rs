//! `taskflow user`.

mod show;

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::net::Ipv4Addr;
use std::sync::Arc;

use serde::Serialize;
use taskflow_core::{
    AccountStatusChange, Actor, EmailAddress, Error, Login, NewUser, PasswordHash, Precondition, ProfileChange, User,
    Username,
};

use self::show::Account;
use super::failure::{Failure, Reason};
use super::output::{self, Format, Report};
use crate::auth::Password;
use crate::config::{Config, Database, nearest_word};
use crate::limits::Requester;
use crate::wiring::{self, Opened};

#[derive(Debug, Clone, clap::Subcommand)]
pub(super) enum Command {
    /// Create an account; asks on the terminal for what is not given
    Create(Create),
    /// List all accounts, oldest first
    List,
    /// Show an account with its notification settings and sessions
    Show(Who),
    /// Lock an account: nobody can sign in to it, and it gets no mail
    Disable(Who),
    /// Unlock an account
    Enable(Who),
    /// Make an account an administrator
    Admin {
        #[command(flatten)]
        who: Who,
        /// Remove the administrator role instead
        #[arg(long)]
        off: bool,
    },
    /// Set another password and end all sessions of the account
    Passwd {
        #[command(flatten)]
        who: Who,
        #[command(flatten)]
        password: GivenPassword,
    },
}

#[derive(Debug, Clone, clap::Args)]
pub(super) struct Create {
    /// Make the account an administrator
    #[arg(long)]
    pub(super) admin: bool,
    /// Name to sign in with: 3 to 50 letters, digits, '.', '_' or '-'
    #[arg(long, value_name = "NAME")]
    pub(super) username: Option<String>,
    /// E-mail address of the account
    #[arg(long, value_name = "ADDRESS")]
    pub(super) email: Option<String>,
    #[command(flatten)]
    pub(super) password: GivenPassword,
}

#[derive(Debug, Clone, clap::Args)]
pub(super) struct Who {
    /// User name or e-mail address of the account
    #[arg(value_name = "NAME|EMAIL")]
    pub(super) login: String,
}

#[derive(Clone, clap::Args)]
pub(super) struct GivenPassword {
    /// The password; other users of this machine can see it in the list of processes
    #[arg(long, conflicts_with = "password_stdin")]
    pub(super) password: Option<String>,
    /// Read the password from the first line of standard input
    #[arg(long)]
    pub(super) password_stdin: bool,
}

impl std::fmt::Debug for GivenPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let password = self.password.as_ref().map(|_| "***");
        f.debug_struct("GivenPassword").field("password", &password).field("stdin", &self.password_stdin).finish()
    }
}

/// The accounts that were asked for.
#[derive(Debug, Serialize)]
struct Accounts {
    users: Vec<Account>,
}

/// An account after a change.
#[derive(Debug, Serialize)]
struct Changed {
    user: Account,
    /// Sentences that describe the changes.
    #[serde(skip)]
    said: Vec<String>,
}

impl Report for Accounts {
    fn text(&self) -> String {
        if self.users.is_empty() {
            return "there is no account yet; create one with: taskflow user create --admin".to_owned();
        }
        output::table(["USERNAME", "EMAIL", "ROLE", "STATE", "SINCE", "ID"], self.users.iter().map(Account::row))
    }
}

impl Report for Changed {
    fn text(&self) -> String {
        self.said.join("\n")
    }
}

pub(super) async fn run(command: Command, config: &Arc<Config>, format: Format) -> Result<(), Failure> {
    if config.database == Database::Memory {
        return Err(Failure::new("DATABASE_URL must name a database that outlives the command, got memory:")
            .advise("register through the API of the running server, or set it, for example to sqlite://taskflow.db")
            .because(Reason::Settings));
    }
    let opened = wiring::open(config).await?;
    let result = match command {
        Command::Create(create) => self::create(create, config, &opened).await.and_then(|done| format.print(&done)),
        Command::List => list(&opened).await.and_then(|accounts| format.print(&accounts)),
        Command::Show(who) => show::run(&find(&who, &opened).await?, &opened, format).await,
        Command::Disable(who) => set_active(&who, false, &opened).await.and_then(|done| format.print(&done)),
        Command::Enable(who) => set_active(&who, true, &opened).await.and_then(|done| format.print(&done)),
        Command::Admin { who, off } => set_admin(&who, !off, &opened).await.and_then(|done| format.print(&done)),
        Command::Passwd { who, password } => {
            passwd(&who, password, config, &opened).await.and_then(|done| format.print(&done))
        }
    };
    opened.close().await;
    result
}

async fn create(create: Create, config: &Config, opened: &Opened) -> Result<Changed, Failure> {
    let username = given_or_asked(create.username, "--username", "Username")?;
    let email = given_or_asked(create.email, "--email", "E-mail")?;
    let password = create.password.read(CREATE)?;

    // Everything is checked before anything is said, so that one more try is enough.
    let mut problems = Vec::new();
    let mut note = |field: &str, message: String| problems.push(format!("{field} {message}"));
    let name: Option<Username> = username.parse().map_err(|error| note("--username", format!("{error}"))).ok();
    let address: Option<EmailAddress> = email.parse().map_err(|error| note("--email", format!("{error}"))).ok();
    let hash =
        hash(&password, vec![username.clone(), email], config).await?.map_err(|text| note("the password", text)).ok();
    let (Some(username), Some(email), Some(hash)) = (name, address, hash) else { return Err(refused(&problems)) };

    let new = NewUser { username, email, time_zone: None, locale: None, is_admin: create.admin };
    let user = match opened.app.accounts().register(new, Some(hash)).await {
        Err(Error::Taken(field)) => {
            return Err(Failure::new(format!("no account was created: --{field} belongs to another account"))
                .advise("choose another, or see: taskflow user list")
                .because(Reason::Refused));
        }
        result => result.map_err(|error| Failure::of("cannot create the account", &error))?,
    };
    // Whoever runs the service knows whom they create an account for.
    let verified = opened.app.accounts().mark_email_verified(Actor::System, user.id).await;
    verified.map_err(|error| Failure::of("created the account, but could not mark its address as verified", &error))?;
    let kind = if user.is_admin { "administrator" } else { "account" };
    let welcome = match (&config.smtp, config.mailbox) {
        (Some(_), _) => "the welcome mail is sent as soon as the server runs",
        (None, true) => "there is no relay: the welcome mail goes to the page /mailbox when the server runs",
        (None, false) => "there is no relay: the welcome mail waits in the outbox until SMTP_SERVER is set",
    };
    let said = vec![format!("created {kind} {} <{}>", user.username, user.email), welcome.to_owned()];
    let user = User { email_verified: true, ..user };
    Ok(Changed { user: user.into(), said })
}

async fn list(opened: &Opened) -> Result<Accounts, Failure> {
    Ok(Accounts { users: all(opened).await?.into_iter().map(Account::from).collect() })
}

/// Accounts read at once.
const PAGE: u32 = 500;

pub(super) async fn all(opened: &Opened) -> Result<Vec<User>, Failure> {
    let mut users: Vec<User> = Vec::new();
    loop {
        let page = opened.app.accounts().list_after(users.last().map(|user| user.id), PAGE).await;
        let page = page.map_err(|error| Failure::of("cannot list the accounts", &error))?;
        let last = page.len() < PAGE as usize;
        users.extend(page);
        if last {
            return Ok(users);
        }
    }
}

async fn set_active(who: &Who, active: bool, opened: &Opened) -> Result<Changed, Failure> {
    let change = AccountStatusChange { is_active: Some(active), is_admin: None };
    set_standing(who, change, if active { "is active" } else { "is locked" }, opened).await
}

async fn set_admin(who: &Who, admin: bool, opened: &Opened) -> Result<Changed, Failure> {
    let change = AccountStatusChange { is_active: None, is_admin: Some(admin) };
    set_standing(who, change, if admin { "is an administrator" } else { "is not an administrator" }, opened).await
}

/// Changes what an account may do, and warns when no active administrator is left.
async fn set_standing(who: &Who, change: AccountStatusChange, now: &str, opened: &Opened) -> Result<Changed, Failure> {
    let rules = |user: &User| user.is_admin && user.is_active;
    let before = find(who, opened).await?;
    let changed = opened.app.accounts().set_standing(Actor::System, before.id, change).await;
    let after = changed.map_err(|error| Failure::of("cannot change the account", &error))?;
    let mut said = vec![format!("{} {now} now", after.username)];
    if rules(&before) && !rules(&after) && !all(opened).await?.iter().any(rules) {
        said.push("note: no active administrator is left; make one with: taskflow user admin NAME".to_owned());
    }
    Ok(Changed { user: after.into(), said })
}

async fn passwd(who: &Who, password: GivenPassword, config: &Config, opened: &Opened) -> Result<Changed, Failure> {
    let user = find(who, opened).await?;
    let password = password.read(PASSWD)?;
    let inputs = vec![user.username.to_string(), user.email.to_string()];
    let hash = hash(&password, inputs, config).await?.map_err(|text| refused(&[format!("the password {text}")]))?;
    let change = ProfileChange { password: Some(hash), ..ProfileChange::default() };
    let changed = opened.app.accounts().update_profile(Actor::System, user.id, change, Precondition::Any).await;
    let user = changed.map_err(|error| Failure::of("cannot set the password", &error))?;
    let said = format!("set the password of {} and ended all sessions; a mail tells {}", user.username, user.email);
    Ok(Changed { user: user.into(), said: vec![said] })
}

/// The account of that name or address.
async fn find(who: &Who, opened: &Opened) -> Result<User, Failure> {
    let account = opened.accounts().account(&Login::parse(&who.login)).await;
    let account = account.map_err(|error| Failure::of("cannot look the account up", &Error::from(error)))?;
    match account {
        Some(account) => Ok(account.user),
        None => Err(absent(&who.login, &all(opened).await?)),
    }
}

/// No account has that name or address; one may have a similar one.
fn absent(login: &str, users: &[User]) -> Failure {
    let names = users.iter().flat_map(|user| [user.username.to_string(), user.email.to_string()]);
    let advice = match nearest_word(login, names) {
        Some(name) => format!("did you mean {name}?"),
        None => "list all accounts with: taskflow user list".to_owned(),
    };
    Failure::new(format!("no account has the name or address {login:?}")).advise(advice).because(Reason::NotFound)
}

/// The hash of a good password; the inner error says what would be right.
async fn hash(text: &str, inputs: Vec<String>, config: &Config) -> Result<Result<PasswordHash, String>, Failure> {
    let password = match Password::new(text) {
        Ok(password) => password,
        Err(message) => return Ok(Err(message)),
    };
    let passwords = wiring::passwords(config);
    let requester = Requester::at(Ipv4Addr::LOCALHOST.into());
    if let Some(objection) = passwords.objection(&password, inputs, requester).await.ok().flatten() {
        return Ok(Err(objection));
    }
    passwords.hash(&password, requester).await.map(Ok).map_err(|error| Failure::of("cannot hash the password", &error))
}

fn refused(problems: &[String]) -> Failure {
    let list: String = problems.iter().map(|problem| format!("\n    {problem}")).collect();
    Failure::new(format!("nothing was changed:{list}")).because(Reason::Refused)
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
        if ask("Repeat the password: ")? == password {
            Ok(password)
        } else {
            Err(Failure::new("the two passwords differ").because(Reason::Refused))
        }
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

/// Example of the command without a terminal.
const CREATE: &str = "taskflow user create --username ada --email ada@example.org --password-stdin";
const PASSWD: &str = "taskflow user passwd ada --password-stdin";

fn missing(flag: &str, example: &str) -> Failure {
    Failure::new(format!("{flag} is required when standard input is not a terminal"))
        .advise(format!("for example: echo PASSWORD | {example}"))
        .because(Reason::Usage)
}

fn unreadable(error: &io::Error) -> Failure {
    Failure::new(format!("cannot read from standard input: {error}"))
}
