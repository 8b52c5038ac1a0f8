use super::*;

const BYTEA: u32 = 17;
const NUMBER: u32 = 23;

fn description(type_oid: u32) -> Vec<u8> {
    let mut body = vec![0, 1];
    body.extend(b"c\0\0\0\0\0\0\0");
    body.extend(type_oid.to_be_bytes());
    body.extend([0; 8]);
    body
}

fn is_searched(conversation: &mut Conversation) -> bool {
    conversation.row_shape().may_hold_envelopes()
}

fn ask(conversation: &mut Conversation, requests: impl IntoIterator<Item = Request>) {
    for request in requests {
        conversation.ask(request);
    }
}

fn query() -> Request {
    Request::Query(Copies::default())
}

fn parse() -> Request {
    Request::Parse {
        copies: Copies::default(),
        statement: "s".into(),
    }
}

fn bind(portal: &str) -> Request {
    Request::Bind {
        portal: portal.into(),
        statement: "s".into(),
        formats: Some(Formats::All(Format::Binary)),
    }
}

fn execute(portal: &str) -> Request {
    Request::Execute(portal.into())
}

fn replies(conversation: &mut Conversation, tags: &[u8]) -> Vec<Reply> {
    tags.iter()
        .map(|tag| conversation.reply(*tag, Some(b'I')))
        .collect()
}

#[test]
fn every_result_of_a_query_has_its_own_shape() {
    let mut talk = Conversation::default();
    talk.ask(query());
    talk.described(&description(BYTEA));
    assert!(is_searched(&mut talk));
    talk.reply(b'C', None);
    talk.described(&description(NUMBER));
    assert!(!is_searched(&mut talk));
    replies(&mut talk, b"CZ");
    assert!(talk.pending.is_empty());
}

#[test]
fn a_statement_described_once_gives_the_types_of_every_portal_bound_to_it() {
    let mut talk = Conversation::default();
    ask(
        &mut talk,
        [
            parse(),
            Request::DescribeStatement("s".into()),
            Request::Sync,
        ],
    );
    replies(&mut talk, b"1t");
    talk.described(&description(NUMBER));
    replies(&mut talk, b"Z");
    ask(&mut talk, [bind(""), execute(""), Request::Sync]);
    replies(&mut talk, b"2");
    assert!(!is_searched(&mut talk));
    assert_eq!(talk.row_shape().column(0).1, Format::Binary);
    replies(&mut talk, b"CZ");
    assert!(talk.pending.is_empty());
}

#[test]
fn a_statement_defined_anew_has_no_types_until_it_is_described() {
    let mut talk = Conversation::default();
    ask(
        &mut talk,
        [
            parse(),
            Request::DescribeStatement("s".into()),
            Request::Sync,
        ],
    );
    replies(&mut talk, b"1t");
    talk.described(&description(NUMBER));
    replies(&mut talk, b"Z");
    ask(&mut talk, [parse(), bind(""), execute(""), Request::Sync]);
    replies(&mut talk, b"12");
    assert!(is_searched(&mut talk), "rows without types are searched");
}

#[test]
fn a_suspended_portal_keeps_its_shape_until_its_transaction_ends() {
    let mut talk = Conversation::default();
    ask(
        &mut talk,
        [
            parse(),
            bind("p"),
            Request::DescribePortal("p".into()),
            execute("p"),
            Request::Sync,
        ],
    );
    replies(&mut talk, b"12");
    talk.described(&description(NUMBER));
    assert!(!is_searched(&mut talk));
    talk.reply(b's', None);
    talk.reply(b'Z', Some(b'T'));
    ask(&mut talk, [execute("p"), Request::Sync]);
    assert!(!is_searched(&mut talk), "still open in the transaction");
    talk.reply(b'C', None);
    talk.reply(b'Z', Some(b'I'));
    talk.ask(execute("p"));
    assert!(is_searched(&mut talk), "gone with the transaction");
}

#[test]
fn after_an_error_everything_up_to_sync_goes_unanswered() {
    let mut talk = Conversation::default();
    ask(
        &mut talk,
        [
            parse(),
            bind(""),
            execute(""),
            query(),
            parse(),
            Request::Sync,
        ],
    );
    ask(&mut talk, [parse(), Request::Sync]);
    replies(&mut talk, b"1EZ");
    assert_eq!(
        talk.pending,
        [Pending::Parse("s".into(), Copies::default()), Pending::Sync]
    );
    replies(&mut talk, b"1Z");
    assert!(talk.pending.is_empty());
}

#[test]
fn requests_sent_after_an_error_and_before_sync_are_not_waited_for() {
    let mut talk = Conversation::default();
    ask(&mut talk, [parse(), bind("")]);
    replies(&mut talk, b"E");
    ask(&mut talk, [execute(""), query(), parse()]);
    assert!(talk.pending.is_empty());
    ask(&mut talk, [Request::Sync, parse()]);
    replies(&mut talk, b"Z1");
    assert!(talk.pending.is_empty());
}

#[test]
fn an_error_at_sync_itself_skips_nothing() {
    let mut talk = Conversation::default();
    ask(&mut talk, [Request::Sync, parse(), Request::Sync]);
    replies(&mut talk, b"EZ");
    assert_eq!(
        talk.pending,
        [Pending::Parse("s".into(), Copies::default()), Pending::Sync]
    );
}

#[test]
fn a_sync_that_copy_ignores_is_not_waited_for() {
    let mut talk = Conversation::default();
    ask(&mut talk, [bind(""), execute(""), Request::Sync]);
    replies(&mut talk, b"2G");
    ask(
        &mut talk,
        [
            Request::CopyData,
            Request::CopyData,
            Request::CopyEnd,
            Request::Sync,
        ],
    );
    replies(&mut talk, b"CZ");
    assert!(talk.pending.is_empty());
}

#[test]
fn a_copy_that_fails_while_its_data_comes_ends_at_the_next_sync() {
    let mut talk = Conversation::default();
    ask(&mut talk, [bind(""), execute(""), Request::Sync]);
    replies(&mut talk, b"2G");
    ask(&mut talk, [Request::CopyData]);
    replies(&mut talk, b"E");
    ask(
        &mut talk,
        [Request::CopyData, Request::CopyEnd, Request::Sync, parse()],
    );
    replies(&mut talk, b"Z1");
    assert!(talk.pending.is_empty());
}

#[test]
fn a_copy_in_a_query_leaves_nothing_behind() {
    let mut talk = Conversation::default();
    talk.ask(query());
    replies(&mut talk, b"G");
    ask(&mut talk, [Request::CopyData, Request::CopyEnd]);
    replies(&mut talk, b"CZ");
    talk.ask(query());
    talk.described(&description(NUMBER));
    assert!(!is_searched(&mut talk));
}

#[test]
fn a_refusal_in_autocommit_drops_what_follows_up_to_ready() {
    let mut talk = Conversation::default();
    talk.ask(query());
    talk.described(&description(BYTEA));
    talk.refuse();
    assert!(talk.holds());
    assert_eq!(
        [
            talk.reply(b'C', None),
            talk.reply(b'N', None),
            talk.described(&description(NUMBER)),
            talk.reply(b'C', None)
        ],
        [Reply::Drop, Reply::Pass, Reply::Drop, Reply::Drop]
    );
    assert_eq!(talk.reply(b'Z', Some(b'I')), Reply::Pass);
    assert!(!talk.holds());
    assert_eq!(talk.take_injection(), None);
}

#[test]
fn a_refusal_in_a_block_fails_it_before_the_next_message() {
    let mut talk = Conversation::default();
    talk.ask(query());
    talk.refuse();
    assert_eq!(talk.reply(b'C', None), Reply::Drop);
    assert_eq!(talk.reply(b'Z', Some(b'T')), Reply::Ready(b'E'));
    assert!(talk.holds());
    assert_eq!(talk.take_injection(), Some(Injection::BadQuery));
    assert!(talk.holds(), "until the database has answered it");
    assert_eq!(talk.reply(b'E', None), Reply::Drop);
    assert_eq!(talk.reply(b'Z', Some(b'E')), Reply::Drop);
    assert!(!talk.holds());
    assert!(talk.pending.is_empty());
}

#[test]
fn a_refusal_before_sync_makes_the_database_skip_to_it() {
    let mut talk = Conversation::default();
    ask(&mut talk, [parse(), bind(""), execute("")]);
    replies(&mut talk, b"12");
    talk.refuse();
    assert_eq!(talk.take_injection(), Some(Injection::BadParse));
    assert!(!talk.holds(), "the application's Sync must get through");
    ask(&mut talk, [execute(""), Request::Sync]);
    assert_eq!(
        [talk.reply(b'C', None), talk.reply(b'E', None)],
        [Reply::Drop, Reply::Drop]
    );
    assert_eq!(talk.reply(b'Z', Some(b'E')), Reply::Pass);
    assert!(talk.pending.is_empty());
    assert_eq!(talk.take_injection(), None);
}

#[test]
fn a_query_behind_a_refused_batch_without_its_sync_is_answered_by_nothing() {
    // The Sync comes later, or is there already.
    for sync_is_there in [false, true] {
        let mut talk = Conversation::default();
        ask(&mut talk, [bind(""), execute(""), query()]);
        if sync_is_there {
            talk.ask(Request::Sync);
        }
        replies(&mut talk, b"2");
        talk.refuse();
        let injected = talk.take_injection();
        assert_eq!(injected.is_some(), !sync_is_there);
        assert_eq!(replies(&mut talk, b"CCZ"), [Reply::Drop; 3]);
        if !sync_is_there {
            assert_eq!(injected, Some(Injection::BadParse));
            talk.ask(query());
            talk.ask(Request::Sync);
            assert_eq!(replies(&mut talk, b"E"), [Reply::Drop]);
        }
        assert_eq!(replies(&mut talk, b"Z"), [Reply::Pass]);
        assert!(talk.pending.is_empty());
        assert!(!talk.holds());
    }
}

#[test]
fn what_was_in_flight_behind_a_refusal_is_answered_before_the_block_fails() {
    let mut talk = Conversation::default();
    ask(
        &mut talk,
        [
            bind(""),
            execute(""),
            Request::Sync,
            bind(""),
            execute(""),
            Request::Sync,
        ],
    );
    replies(&mut talk, b"2");
    talk.refuse();
    assert_eq!(talk.reply(b'C', None), Reply::Drop);
    assert_eq!(talk.reply(b'Z', Some(b'T')), Reply::Ready(b'E'));
    assert_eq!(talk.take_injection(), None);
    assert_eq!(talk.reply(b'2', None), Reply::Pass);
    assert_eq!(talk.reply(b'C', None), Reply::Pass);
    assert_eq!(talk.reply(b'Z', Some(b'T')), Reply::Ready(b'E'));
    assert_eq!(talk.take_injection(), Some(Injection::BadQuery));
    assert_eq!(
        [talk.reply(b'E', None), talk.reply(b'Z', Some(b'E'))],
        [Reply::Drop, Reply::Drop]
    );
    assert!(!talk.holds());
}

#[test]
fn a_block_that_ended_in_flight_is_reported_as_it_ended() {
    let mut talk = Conversation::default();
    ask(&mut talk, [query(), query()]);
    talk.refuse();
    assert_eq!(talk.reply(b'Z', Some(b'T')), Reply::Ready(b'E'));
    assert_eq!(talk.reply(b'C', None), Reply::Pass);
    assert_eq!(talk.reply(b'Z', Some(b'I')), Reply::Pass);
    assert!(!talk.holds());
    assert_eq!(talk.take_injection(), None);
}

#[test]
fn a_copy_that_the_application_cannot_see_is_ended_for_it() {
    let mut talk = Conversation::default();
    talk.ask(query());
    talk.refuse();
    assert_eq!(talk.reply(b'C', None), Reply::Drop);
    assert_eq!(talk.reply(b'G', None), Reply::Drop);
    assert_eq!(talk.take_injection(), Some(Injection::CopyFail));
    assert_eq!(talk.reply(b'E', None), Reply::Drop);
    assert_eq!(talk.reply(b'Z', Some(b'I')), Reply::Pass);
}

#[test]
fn a_copy_whose_end_is_on_its_way_is_not_ended_twice() {
    let mut talk = Conversation::default();
    let data = [Request::CopyData, Request::CopyEnd, Request::Sync];
    ask(&mut talk, [parse(), bind(""), execute(""), execute("c")]);
    ask(&mut talk, data);
    replies(&mut talk, b"12");
    talk.refuse();
    replies(&mut talk, b"CG");
    assert_eq!(talk.take_injection(), None);
    assert_eq!(talk.reply(b'C', None), Reply::Drop);
    assert_eq!(talk.reply(b'Z', Some(b'I')), Reply::Pass);
    assert!(talk.pending.is_empty() && !talk.holds());
}

#[test]
fn pending_requests_are_bounded() {
    let mut talk = Conversation::default();
    for _ in 0..MAX_PENDING {
        assert!(!talk.holds());
        talk.ask(parse());
    }
    assert!(talk.holds());
    talk.reply(b'1', None);
    assert!(!talk.holds());
}

#[test]
fn a_block_is_failed_in_the_middle_of_a_batch_that_is_half_sent() {
    let mut talk = Conversation::default();
    ask(
        &mut talk,
        [bind(""), execute(""), Request::Sync, parse(), bind("")],
    );
    replies(&mut talk, b"2");
    talk.refuse();
    assert_eq!(talk.reply(b'Z', Some(b'T')), Reply::Ready(b'E'));
    assert_eq!(talk.take_injection(), Some(Injection::BadParse));
    assert!(
        !talk.holds(),
        "the database waits for the application's Sync"
    );
    ask(&mut talk, [execute(""), Request::Sync, parse()]);
    assert_eq!(
        [talk.reply(b'1', None), talk.reply(b'2', None)],
        [Reply::Pass, Reply::Pass]
    );
    assert_eq!(talk.reply(b'E', None), Reply::BlockFailed);
    assert_eq!(talk.reply(b'Z', Some(b'E')), Reply::Pass);
    assert_eq!(
        talk.pending,
        [Pending::Parse("s".into(), Copies::default())]
    );
}

#[test]
fn a_batch_whose_end_was_half_way_through_needs_no_failing_parse() {
    let mut talk = Conversation::default();
    ask(&mut talk, [parse(), bind(""), execute("")]);
    replies(&mut talk, b"12");
    talk.refuse();
    // The rest of the Sync arrives before the Parse could go.
    talk.ask(Request::Sync);
    assert_eq!(talk.take_injection(), None);
    assert!(talk.holds());
    assert_eq!(talk.reply(b'C', None), Reply::Drop);
    assert_eq!(talk.reply(b'Z', Some(b'I')), Reply::Pass);
    assert!(!talk.holds());
    assert!(talk.pending.is_empty());
}

#[test]
fn a_query_that_was_half_way_through_goes_before_what_fails_its_block() {
    let mut talk = Conversation::default();
    talk.ask(query());
    talk.refuse();
    assert_eq!(talk.reply(b'Z', Some(b'T')), Reply::Ready(b'E'));
    // The rest of it arrives before the Query that fails could go.
    talk.ask(query());
    assert_eq!(talk.take_injection(), None);
    assert!(talk.holds());
    assert_eq!(talk.reply(b'C', None), Reply::Pass);
    assert_eq!(talk.reply(b'Z', Some(b'T')), Reply::Ready(b'E'));
    assert_eq!(talk.take_injection(), Some(Injection::BadQuery));
}

#[test]
fn a_block_that_fails_by_itself_behind_a_refusal_is_not_failed_again() {
    let mut talk = Conversation::default();
    talk.ask(query());
    talk.refuse();
    assert_eq!(talk.reply(b'Z', Some(b'T')), Reply::Ready(b'E'));
    talk.ask(parse());
    assert_eq!(talk.reply(b'E', None), Reply::Pass);
    assert_eq!(talk.take_injection(), None);
    assert!(
        !talk.holds(),
        "the database waits for the application's Sync"
    );
    talk.ask(Request::Sync);
    assert_eq!(talk.reply(b'Z', Some(b'E')), Reply::Pass);
    assert!(talk.pending.is_empty());
}

#[test]
fn what_fails_a_block_waits_for_the_batches_before_it() {
    let mut talk = Conversation::default();
    ask(&mut talk, [query(), query(), parse()]);
    talk.refuse();
    assert_eq!(talk.reply(b'Z', Some(b'T')), Reply::Ready(b'E'));
    assert_eq!(talk.take_injection(), None);
    assert_eq!(talk.reply(b'Z', Some(b'T')), Reply::Ready(b'E'));
    assert_eq!(talk.take_injection(), Some(Injection::BadParse));
}

#[test]
fn what_runs_on_behind_a_refusal_answers_nothing_of_the_next_batch() {
    let mut talk = Conversation::default();
    ask(&mut talk, [bind(""), execute(""), parse(), execute("")]);
    replies(&mut talk, b"2");
    talk.refuse();
    assert_eq!(talk.take_injection(), Some(Injection::BadParse));
    ask(&mut talk, [Request::Sync, query()]);
    assert_eq!(replies(&mut talk, b"C1CE"), [Reply::Drop; 4]);
    assert_eq!(talk.reply(b'Z', Some(b'I')), Reply::Pass);
    assert_eq!(talk.pending, [Pending::Query(Copies::default())]);
}

#[test]
fn a_sync_that_was_half_way_through_and_met_a_copy_is_made_good() {
    for copy_began_first in [true, false] {
        let mut talk = Conversation::default();
        ask(&mut talk, [execute("rows"), execute("copy")]);
        talk.refuse();
        talk.reply(b'C', None);
        if copy_began_first {
            assert_eq!(talk.reply(b'G', None), Reply::Drop);
        }
        talk.ask(Request::Sync);
        if !copy_began_first {
            assert_eq!(talk.take_injection(), None);
            assert_eq!(talk.reply(b'G', None), Reply::Drop);
        }
        assert_eq!(talk.take_injection(), Some(Injection::CopyFailSync));
        assert_eq!(talk.reply(b'E', None), Reply::Drop);
        assert_eq!(talk.reply(b'Z', Some(b'I')), Reply::Pass);
        assert!(talk.pending.is_empty() && !talk.holds());
    }
}

#[test]
fn every_copy_of_a_query_has_data_of_its_own() {
    let mut talk = Conversation::default();
    ask(&mut talk, [query(), Request::CopyData, Request::CopyEnd]);
    talk.refuse();
    replies(&mut talk, b"CG");
    assert_eq!(talk.take_injection(), None, "its end is on its way");
    replies(&mut talk, b"CG");
    assert_eq!(talk.take_injection(), Some(Injection::CopyFail));
}

#[test]
fn a_copy_behind_a_refusal_in_a_block_is_ended_and_says_so() {
    let mut talk = Conversation::default();
    ask(&mut talk, [query(), query()]);
    talk.refuse();
    assert_eq!(talk.reply(b'Z', Some(b'T')), Reply::Ready(b'E'));
    assert_eq!(talk.reply(b'G', None), Reply::Drop);
    assert_eq!(talk.take_injection(), Some(Injection::CopyFail));
    assert_eq!(talk.reply(b'E', None), Reply::Pass);
    assert_eq!(talk.reply(b'Z', Some(b'E')), Reply::Pass);
    assert!(!talk.holds());
}

#[test]
fn an_extended_copy_behind_a_refusal_gets_a_sync_in_place_of_the_ignored_one() {
    let mut talk = Conversation::default();
    ask(
        &mut talk,
        [
            execute(""),
            Request::Sync,
            bind(""),
            execute(""),
            Request::Sync,
        ],
    );
    talk.refuse();
    assert_eq!(talk.reply(b'Z', Some(b'T')), Reply::Ready(b'E'));
    talk.reply(b'2', None);
    assert_eq!(talk.reply(b'G', None), Reply::Drop);
    assert_eq!(talk.take_injection(), Some(Injection::CopyFailSync));
    assert_eq!(talk.reply(b'E', None), Reply::Pass);
    assert_eq!(talk.reply(b'Z', Some(b'E')), Reply::Pass);
    assert!(!talk.holds());
    assert!(talk.pending.is_empty());
}

#[test]
fn a_copy_that_our_parse_ends_takes_no_end_of_a_later_copy() {
    let mut talk = Conversation::default();
    ask(&mut talk, [parse(), bind(""), execute(""), Request::Sync]);
    replies(&mut talk, b"12");
    talk.refuse();
    // Half of the next batch is on its way when the block is found to stand.
    ask(&mut talk, [parse(), bind(""), execute("")]);
    assert_eq!(talk.reply(b'Z', Some(b'T')), Reply::Ready(b'E'));
    assert_eq!(talk.take_injection(), Some(Injection::BadParse));
    ask(
        &mut talk,
        [Request::CopyData, Request::CopyEnd, Request::Sync],
    );
    ask(&mut talk, [query(), Request::CopyData, Request::CopyEnd]);
    replies(&mut talk, b"12G");
    assert_eq!(talk.reply(b'E', None), Reply::Pass);
    replies(&mut talk, b"Z");
    assert_eq!(
        talk.pending.front(),
        Some(&Pending::Query(Copies::default()))
    );
    replies(&mut talk, b"GCZ");
    assert!(talk.pending.is_empty());
}

#[test]
fn an_error_after_a_simple_copy_is_that_of_its_query() {
    let mut talk = Conversation::default();
    talk.ask(query());
    replies(&mut talk, b"G");
    ask(&mut talk, [Request::CopyData, Request::CopyEnd]);
    replies(&mut talk, b"CZ");
    // Data that was still under way when the COPY had ended.
    ask(&mut talk, [Request::CopyData, Request::CopyEnd, query()]);
    replies(&mut talk, b"EZ");
    assert!(talk.pending.is_empty());
    talk.ask(query());
    talk.described(&description(NUMBER));
    assert!(!is_searched(&mut talk));
}

#[test]
fn sql_that_redefines_names_makes_described_statements_forgotten() {
    for command in [
        "DEALLOCATE",
        "DEALLOCATE ALL",
        "DISCARD ALL",
        "PREPARE",
        "CLOSE CURSOR",
        "DECLARE CURSOR",
    ] {
        let mut talk = Conversation::default();
        ask(
            &mut talk,
            [
                parse(),
                Request::DescribeStatement("s".into()),
                Request::Sync,
            ],
        );
        replies(&mut talk, b"1t");
        talk.described(&description(NUMBER));
        replies(&mut talk, b"Z");
        talk.ask(query());
        talk.completed(command.as_bytes());
        replies(&mut talk, b"Z");
        ask(&mut talk, [bind(""), execute("")]);
        replies(&mut talk, b"2");
        assert!(is_searched(&mut talk), "{command}");
    }
}

#[test]
fn sql_that_redefines_cursors_makes_types_of_open_portals_forgotten() {
    let mut talk = Conversation::default();
    let describe = Request::DescribeStatement("s".into());
    ask(&mut talk, [parse(), describe, bind("p"), Request::Sync]);
    replies(&mut talk, b"1t");
    talk.described(&description(NUMBER));
    replies(&mut talk, b"2");
    talk.reply(b'Z', Some(b'T'));
    talk.ask(query());
    talk.completed(b"CLOSE CURSOR");
    talk.reply(b'Z', Some(b'T'));
    talk.ask(execute("p"));
    assert!(is_searched(&mut talk));
    assert_eq!(talk.row_shape().column(0).1, Format::Binary);
}

#[test]
fn remembered_names_are_bounded() {
    let mut talk = Conversation::default();
    for name in 0..=MAX_REMEMBERED {
        let name = format!("n{name}");
        talk.ask(Request::DescribeStatement(name.as_str().into()));
        talk.described(&description(NUMBER));
    }
    assert!(talk.statements.len() <= MAX_REMEMBERED);
}

/// What is known of the COPY that begins now: the format's name, as far as it is told here.
fn copy_begins(talk: &mut Conversation) -> Option<&'static str> {
    let (reply, options) = talk.copy_out_begins();
    assert_eq!(reply, Reply::Pass);
    options.map(|options| match options.form {
        wire::copy::Form::Text(_) => "text",
        wire::copy::Form::Csv(_) => "csv",
        wire::copy::Form::Binary => "binary",
    })
}

#[test]
fn every_copy_of_a_query_has_options_of_its_own() {
    let mut talk = Conversation::default();
    let sql =
        b"copy a to stdout csv; select 1; copy b to stdout (what 'x'); copy c to stdout binary";
    ask(&mut talk, [Request::Query(Copies::of(sql, true)), query()]);
    assert_eq!(copy_begins(&mut talk), Some("csv"));
    replies(&mut talk, b"dcC");
    talk.described(&description(NUMBER));
    replies(&mut talk, b"DC");
    assert_eq!(copy_begins(&mut talk), None);
    replies(&mut talk, b"dcC");
    assert_eq!(copy_begins(&mut talk), Some("binary"));
    replies(&mut talk, b"dcC");
    assert_eq!(copy_begins(&mut talk), None, "one too many");
    replies(&mut talk, b"cCZ");
    assert_eq!(copy_begins(&mut talk), None, "of another Query");
}

#[test]
fn a_copys_options_go_the_way_of_its_statement_and_its_portal() {
    let define = |name: &str, sql: &[u8]| Request::Parse {
        statement: name.into(),
        copies: Copies::of(sql, true),
    };
    let bind = |portal: &str, statement: &str| Request::Bind {
        portal: portal.into(),
        statement: statement.into(),
        formats: None,
    };
    let execute = |portal: &str| Request::Execute(portal.into());
    let mut talk = Conversation::default();
    ask(
        &mut talk,
        [
            define("s", b"copy t to stdout csv"),
            define("", b"copy t to stdout"),
            bind("p", "s"),
            bind("", ""),
            execute(""),
            execute("p"),
            Request::Sync,
        ],
    );
    replies(&mut talk, b"1122");
    assert_eq!(copy_begins(&mut talk), Some("text"));
    replies(&mut talk, b"dcC");
    assert_eq!(copy_begins(&mut talk), Some("csv"));
    replies(&mut talk, b"cCZ");
    // Executed again, and then defined anew as what cannot be read.
    ask(
        &mut talk,
        [
            bind("", "s"),
            execute(""),
            define("s", b"copy t to stdout (x)"),
        ],
    );
    ask(&mut talk, [bind("", "s"), execute(""), Request::Sync]);
    replies(&mut talk, b"2");
    assert_eq!(copy_begins(&mut talk), Some("csv"));
    replies(&mut talk, b"cC12");
    assert_eq!(copy_begins(&mut talk), None);
    replies(&mut talk, b"cCZ");
    assert!(talk.pending.is_empty());
}

#[test]
fn a_functions_result_has_the_format_that_was_asked_for() {
    let mut talk = Conversation::default();
    ask(
        &mut talk,
        [
            Request::FunctionCall(Some(Format::Binary)),
            Request::FunctionCall(None),
        ],
    );
    assert_eq!(talk.function_format(), Format::Binary);
    replies(&mut talk, b"VZ");
    assert_eq!(talk.function_format(), Format::Text);
    replies(&mut talk, b"VZ");
    assert!(talk.pending.is_empty());
}
