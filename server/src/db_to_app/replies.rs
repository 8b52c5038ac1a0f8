//! Replies that are read whole and are no rows: what the application is to see of them.

use std::ops::Range;

use wire::{error, originate, sasl};

use super::DbToApp;
use crate::conversation::Reply;
use crate::copy_out::CopyOut;
use crate::edits::Edits;
use crate::refusals;
use crate::session::Ended;

impl DbToApp<'_> {
    /// Looks at a message that is not a row.
    pub(super) fn read(
        &mut self,
        tag: u8,
        body: &[u8],
        place: Range<usize>,
        edits: &mut Edits<'_>,
    ) -> Result<(), Ended> {
        (self.rows, self.copy) = (None, None);
        if tag == b'E' && is_fatal(body) && !is_unavailable(body) {
            self.session.flow.dismiss();
        }
        let mut conversation = self.session.flow.conversation();
        let reply = match tag {
            b'T' => conversation.described(body),
            b'C' => conversation.completed(body),
            b'H' => {
                let (reply, options) = conversation.copy_out_begins();
                self.copy = Some(CopyOut::begin(body, options, self.session.encoding()));
                reply
            }
            b'Z' => {
                let reply = conversation.reply(tag, body.first().copied());
                // A Query's own is dropped where the application waits for that of its Sync.
                self.dropping &= reply == Reply::Drop;
                reply
            }
            b'E' if self.binding_withheld && is_about_binding(body) => {
                let error = refusals::CHANNEL_BINDING.to_message();
                edits.replace(place.clone()).extend_from_slice(&error);
                Reply::Pass
            }
            b'E' => match conversation.reply(tag, None) {
                // PostgreSQL's last words are not kept back.
                Reply::Drop | Reply::BlockFailed if is_fatal(body) => Reply::Pass,
                reply => reply,
            },
            b'K' => {
                self.session.key_data(body);
                Reply::Pass
            }
            _ => {
                let edited = sasl::without_channel_binding(body).map_err(Ended::Malformed)?;
                if let Some(edited) = edited {
                    edits.replace(place.clone()).extend_from_slice(&edited);
                    self.binding_withheld = true;
                } else if sasl::is_done(body) {
                    self.binding_withheld = false;
                }
                Reply::Pass
            }
        };
        match reply {
            Reply::Pass => {}
            Reply::Drop => {
                edits.replace(place);
                return Ok(());
            }
            Reply::Ready(status) => {
                edits
                    .replace(place)
                    .extend_from_slice(&originate::ready_for_query(status));
            }
            Reply::BlockFailed => {
                edits
                    .replace(place)
                    .extend_from_slice(&refusals::BLOCK_FAILED.to_message());
            }
        }
        self.last_tag = tag;
        Ok(())
    }
}

/// True for an ErrorResponse that ends the session, by its severity in fixed words.
fn is_fatal(body: &[u8]) -> bool {
    matches!(
        error::field(body, error::SEVERITY),
        Some(b"FATAL" | b"PANIC")
    )
}

/// True for the error of a database that cannot be had, for any session.
fn is_unavailable(body: &[u8]) -> bool {
    error::field(body, error::CODE).is_some_and(error::is_unavailable)
}

/// True for the error with which PostgreSQL ends a SCRAM login whose client says something else of
/// channel binding than PostgreSQL knows (`invalid_authorization_specification`). A wrong password
/// has another SQLSTATE, as have messages that break the mechanism's rules.
fn is_about_binding(body: &[u8]) -> bool {
    error::field(body, error::CODE) == Some(b"28000")
}
