//! The list of targets. Each stands in the file of its name, or of what it has in common with others.

mod answers;
mod api;
mod bytea;
mod configuration;
mod content;
mod control;
mod conversations;
mod copies;
mod descriptions;
mod fields;
mod frames;
mod logins;
mod opener;
mod proxy;
mod requests;
mod rows;
mod startup;
mod store;
mod values;

use crate::Target;

/// All of them.
pub const TARGETS: &[Target] = &[
    Target {
        name: "frames",
        parsers: &["crates/wire/src/frame.rs"],
        run: frames::run,
    },
    Target {
        name: "startup",
        parsers: &["crates/wire/src/startup.rs"],
        run: startup::run,
    },
    Target {
        name: "cursor",
        parsers: &["crates/wire/src/cursor.rs"],
        run: wire::fuzzing::cursor,
    },
    Target {
        name: "requests",
        parsers: &[
            "crates/wire/src/request.rs",
            "crates/wire/src/request/body.rs",
        ],
        run: requests::run,
    },
    Target {
        name: "rows",
        parsers: &["crates/wire/src/row.rs"],
        run: rows::run,
    },
    Target {
        name: "descriptions",
        parsers: &["crates/wire/src/description.rs"],
        run: descriptions::run,
    },
    Target {
        name: "logins",
        parsers: &[
            "crates/wire/src/login.rs",
            "crates/wire/src/sasl.rs",
            "crates/wire/src/error.rs",
            "crates/wire/src/parameter.rs",
        ],
        run: logins::run,
    },
    Target {
        name: "proxy",
        parsers: &["crates/wire/src/proxy.rs"],
        run: proxy::run,
    },
    Target {
        name: "bytea",
        parsers: &["crates/wire/src/bytea.rs"],
        run: bytea::run,
    },
    Target {
        name: "statements",
        parsers: &[
            "crates/wire/src/copy/sql.rs",
            "crates/wire/src/copy/statement.rs",
            "crates/wire/src/copy/statement/options.rs",
        ],
        run: copies::statements,
    },
    Target {
        name: "copies",
        parsers: &[
            "crates/wire/src/copy.rs",
            "crates/wire/src/copy/binary.rs",
            "crates/wire/src/copy/csv.rs",
            "crates/wire/src/copy/text.rs",
        ],
        run: copies::rows,
    },
    Target {
        name: "fields",
        parsers: &[
            "crates/envelope/src/field.rs",
            "crates/envelope/src/find.rs",
            "crates/envelope/src/envelope.rs",
            "crates/envelope/src/schedule.rs",
        ],
        run: fields::in_binary,
    },
    Target {
        name: "armor",
        parsers: &["crates/envelope/src/armor.rs"],
        run: fields::in_armor,
    },
    Target {
        name: "values",
        parsers: &[
            "crates/wire/src/value.rs",
            "crates/wire/src/value/array.rs",
            "crates/wire/src/value/composite.rs",
            "crates/wire/src/value/hstore.rs",
            "crates/wire/src/value/json.rs",
            "crates/wire/src/value/quoting.rs",
            "crates/wire/src/value/range.rs",
            "crates/wire/src/value/scan.rs",
        ],
        run: values::in_text,
    },
    Target {
        name: "binary-values",
        parsers: &["crates/wire/src/value/binary.rs"],
        run: values::in_binary,
    },
    Target {
        name: "opener",
        parsers: &[
            "server/src/opener.rs",
            "server/src/opener/steps.rs",
            "server/src/field.rs",
            "server/src/field/nested.rs",
            "server/src/encoding.rs",
            "server/src/field/tag.rs",
            "server/src/shape.rs",
        ],
        run: opener::run,
    },
    Target {
        name: "answers",
        parsers: &[
            "server/src/copy_out.rs",
            "server/src/db_to_app.rs",
            "server/src/db_to_app/copying.rs",
            "server/src/db_to_app/replies.rs",
            "server/src/db_to_app/rows.rs",
            "server/src/edits.rs",
            "server/src/shape/ahead.rs",
        ],
        run: answers::run,
    },
    Target {
        name: "conversations",
        parsers: &[
            "server/src/conversation.rs",
            "server/src/conversation/copies.rs",
            "server/src/conversation/refusal.rs",
            "server/src/conversation/replies.rs",
        ],
        run: conversations::run,
    },
    Target {
        name: "control",
        parsers: &[
            "crates/control/src/choices.rs",
            "crates/control/src/live.rs",
            "crates/control/src/units.rs",
            "crates/control/src/user.rs",
        ],
        run: control::run,
    },
    Target {
        name: "configuration",
        parsers: &[
            "crates/daemon/src/layers.rs",
            "crates/daemon/src/layers/origin.rs",
            "crates/daemon/src/address.rs",
            "crates/chooser/src/settings.rs",
            "crates/chooser/src/settings/needs.rs",
            "crates/chooser/src/settings/share.rs",
            "crates/chooser/src/settings/written.rs",
            "crates/control/src/units.rs",
            "server/src/config.rs",
            "server/src/config/database.rs",
            "server/src/config/patroni.rs",
            "server/src/databases/listed.rs",
            "connector/src/address.rs",
            "connector/src/config.rs",
            "connector/src/servers/listed.rs",
            "webconfig/src/config.rs",
        ],
        run: configuration::run,
    },
    Target {
        name: "api",
        parsers: &[
            "server/src/control.rs",
            "server/src/control/admin.rs",
            "server/src/control/api.rs",
            "server/src/control/drain.rs",
            "server/src/control/owners.rs",
            "server/src/control/owners/clients.rs",
            "server/src/control/owners/zones.rs",
            "server/src/control/sessions.rs",
            "server/src/control/settings.rs",
            "server/src/control/why.rs",
            "server/src/control/why/told.rs",
        ],
        run: api::run,
    },
    Target {
        name: "watch",
        parsers: &[
            "crates/control/src/standing.rs",
            "crates/control/src/watch/lines.rs",
        ],
        run: ::control::fuzzing::watch,
    },
    Target {
        name: "monitor",
        parsers: &[
            "server/src/monitor/problem.rs",
            "server/src/monitor/question.rs",
            "server/src/monitor/session.rs",
        ],
        run: pgseal_server::fuzzing::monitor,
    },
    Target {
        name: "addresses",
        parsers: &[
            "crates/keystore/src/address.rs",
            "crates/keystore/src/name.rs",
        ],
        run: store::addresses,
    },
    Target {
        name: "records",
        parsers: &[
            "crates/keystore/src/record/audit.rs",
            "crates/keystore/src/record/certificate.rs",
            "crates/keystore/src/record/key.rs",
            "crates/keystore/src/record/owner.rs",
            "crates/keystore/src/record/permitted.rs",
            "crates/keystore/src/record/receipt.rs",
            "crates/keystore/src/record/setting.rs",
            "crates/keystore/src/record/time.rs",
        ],
        run: keystore::fuzzing::record,
    },
    Target {
        name: "etcd",
        parsers: &[
            "crates/keystore/src/etcd/mark.rs",
            "crates/keystore/src/etcd/messages.rs",
        ],
        run: keystore::fuzzing::etcd,
    },
    Target {
        name: "backups",
        parsers: &["crates/keystore/src/store/backup/file.rs"],
        run: keystore::fuzzing::backup,
    },
    Target {
        name: "patroni",
        parsers: &[
            "server/src/monitor/patroni/moment.rs",
            "server/src/monitor/patroni/status.rs",
        ],
        run: pgseal_server::fuzzing::patroni,
    },
];
