//! The harness wires the whole chain up. What the chain is to do has tests of its own.

use harness::http::Request;
use harness::{Chain, Settings, scan};

const CANARY: &str = "4000 0012 3456 7899";

#[tokio::test]
async fn a_value_goes_in_through_the_primary_and_comes_out_through_the_replica() {
    let chain = Chain::builder().tapped().start();
    let sealed = chain.client().seal(CANARY.as_bytes()).unwrap();
    let writer = chain.primary.connect().await;
    writer
        .batch_execute("create table cards (number bytea)")
        .await
        .unwrap();
    writer
        .execute("insert into cards values ($1)", &[&sealed])
        .await
        .unwrap();
    chain.wait_for_replay();

    let reader = chain.replica.connect().await;
    let row = reader
        .query_one("select number from cards", &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, &[u8]>(0), CANARY.as_bytes());
    let direct = chain.replica.database.connect().await;
    let row = direct
        .query_one("select number from cards", &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, &[u8]>(0), sealed);

    let database = chain.replica.database_tap.as_ref().unwrap();
    assert_eq!(scan(&database.db_to_app(), &[sealed.as_slice()]).len(), 1);
    let tunnel = chain.replica.tunnel_tap.as_ref().unwrap();
    assert!(!tunnel.everything().is_empty());
    assert_eq!(scan(&tunnel.everything(), &[sealed.as_slice()]), []);
    assert!(!chain.logs().is_empty());
}

#[test]
fn the_other_ports_of_a_chain_answer() {
    let chain = Chain::start();
    assert_eq!(chain.primary.server.ops("/health").status, 200);
    assert_eq!(chain.replica.server.ops("/metrics").status, 200);
    let client = chain.primary.connector.api(&Request::get("/v1/client"));
    assert_eq!(client.recipient().key_id(), chain.client().key_id());
    let app = chain.keys.client_identity("app");
    assert_eq!(
        chain
            .primary
            .server
            .control(&app, &Request::get("/v1/status"))
            .status,
        200
    );
}

#[tokio::test]
async fn a_chain_changes_its_configuration_and_its_programs_start_again() {
    let mut chain = Chain::builder()
        .by_socket()
        .settings(Settings::new().tls())
        .start();
    chain.reconfigure_servers(&["zone_mode = 'mixed'"]);
    chain.primary.server.restart();
    chain.primary.connector.restart();
    let session = chain.primary.connect().await;
    assert_eq!(
        session
            .query_one("select 1", &[])
            .await
            .unwrap()
            .get::<_, i32>(0),
        1
    );
    let other = chain.primary.connector_of(&chain.keys, "other");
    assert_eq!(other.process().ended(), None);
}
