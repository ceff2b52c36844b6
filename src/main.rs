//! The server; everything is in `taskflow_server`.

fn main() -> std::process::ExitCode {
    taskflow_server::main()
}
