use crate::{Content, PlainText, RenderInput};

/// A mail that cannot be rendered: the fault of a template, named without its content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot render: {0}")]
pub struct RenderError(pub String);

/// Renders the words of a mail.
///
/// # Contract
///
/// Pure: the same input gives the same words, byte for byte. The subject is one line. User input is escaped in HTML.
pub trait Renderer: Send + Sync {
    /// Returns the words of a mail.
    ///
    /// # Errors
    ///
    /// A template is faulty.
    fn render(&self, input: &RenderInput) -> Result<Content, RenderError>;
}

/// Short English text without HTML, for hosts that bring no templates.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainRenderer;

impl Renderer for PlainRenderer {
    fn render(&self, input: &RenderInput) -> Result<Content, RenderError> {
        if let Some(written) = input.content.written() {
            let text = written.text.clone().unwrap_or_default();
            return Ok(Content { subject: written.subject.clone(), text, html: written.html.clone() });
        }
        let PlainText { subject, text } = input.content.plain(input);
        let hello = if input.name.is_empty() { "Hello,".to_owned() } else { format!("Hello {},", input.name) };
        Ok(Content { subject, text: format!("{hello}\n\n{text}\n"), html: None })
    }
}
