//! What comes by FunctionCall, one value at a time: there is no row, so that a tag stands in the field
//! or nowhere.

use harness::raw::{Message, Session, literal, message, rows};
use harness::{Chain, Keys, is_long};

use super::compared::Compared;
use super::forms::FAMILIES;
use super::stand::Stand;

/// One in so many rows is asked for. There are five placements of each plaintext, so not five.
const SOME: usize = 7;

/// Columns that a function can have as its result: one of a type with a name.
fn columns() -> Vec<&'static str> {
    let columns = FAMILIES.iter().flat_map(|family| family.columns).copied();
    let is_record = |column: &&str| {
        column.starts_with("row(") && column.ends_with(')') || *column == "array[row(b, t)]"
    };
    columns.filter(|column| !is_record(column)).collect()
}

/// Makes functions that give a column of a row of this table, and answers with their object ids.
fn functions(direct: &mut Session, columns: &[&str], table: &str) -> Vec<u32> {
    let mut value = |sql: &str| {
        let answer = direct.query(sql);
        let field = rows(&answer).pop().and_then(|mut row| row.pop()).flatten();
        String::from_utf8(field.unwrap_or_else(|| panic!("{sql}: {answer:?}"))).unwrap()
    };
    let make = |(number, column): (usize, &&str)| {
        let kind = value(&format!("select pg_typeof({column}) from {table} limit 1"));
        let name = format!("{table}_{number}");
        let select = format!("select {column} from {table} where id = at");
        let oid = value(&format!(
            "create function {name}(at int) returns {kind} return ({select});
             select '{name}'::regproc::oid"
        ));
        oid.parse().unwrap()
    };
    columns.iter().enumerate().map(make).collect()
}

/// Calls a function for each of these rows, and gives the messages of each call.
fn call(session: &mut Session, function: u32, rows: &[usize], format: u16) -> Vec<Vec<Message>> {
    let calls = rows
        .iter()
        .map(|row| message::function_call(function, &[row.to_string().as_bytes()], format));
    session.send(calls.collect::<Vec<_>>().concat());
    rows.iter().map(|_| session.read_until_ready()).collect()
}

#[test]
fn the_value_of_a_function_opens_with_a_tag_in_its_field() {
    let stand = Stand::start("ciphertext");
    let (mut session, mut direct) = stand.sessions();
    let mut compared = Compared::default();
    let columns = columns();
    let sealed = functions(&mut direct, &columns, "sealed");
    let clear = functions(&mut direct, &columns, "clear");
    // Some of the rows are all placements, and some of the plaintexts in each.
    let step = if is_long() { 1 } else { SOME };
    let called: Vec<_> = (0..stand.tagged.len()).step_by(step).collect();
    for (column, (sealed, clear)) in columns.iter().zip(sealed.into_iter().zip(clear)) {
        for format in [0, 1] {
            let answers = call(&mut session, sealed, &called, format);
            let stored = call(&mut direct, sealed, &called, format);
            let opened = call(&mut direct, clear, &called, format);
            for (index, row) in called.iter().enumerate() {
                let expected = if stand.tagged[*row] { &stored } else { &opened };
                let case = format!("row {row}, format {format}, {column}");
                compared.answer(&case, &[], &answers[index], &expected[index]);
            }
        }
    }
    compared.are_same();
}

#[test]
fn a_piece_of_a_large_object_opens_where_a_whole_envelope_is_in_it() {
    let keys = Keys::new();
    let sealed = keys.add_client("app").seal(b"4111").unwrap();
    let link = Chain::builder().start_link(&keys);
    let value = |sql: &str| link.database.value(sql);
    let object = value(&format!("select lo_from_bytea(0, {})", literal(&sealed)));
    let [open, read] = ["lo_open", "loread"].map(|name| {
        value(&format!("select '{name}'::regproc::oid"))
            .parse()
            .unwrap()
    });
    let mut session = link.address().raw();
    session.start();
    session.query("begin");
    let mut call = |function: u32, arguments: [&str; 2]| {
        let arguments = arguments.map(str::as_bytes);
        session.send(message::function_call(function, &arguments, 1));
        let answer = session.read_until_ready();
        assert_eq!(answer[0].tag, b'V', "{answer:?}");
        answer[0].body[4..].to_vec()
    };
    // Opened for reading twice, each from its beginning.
    let files = [(); 2].map(|()| call(open, [&object, "262144"])[3].to_string());
    assert_eq!(call(read, [&files[0], "8192"]), b"4111");
    let pieces = [(); 2].map(|()| call(read, [&files[1], "60"]));
    assert_eq!(pieces.concat(), sealed);
}
