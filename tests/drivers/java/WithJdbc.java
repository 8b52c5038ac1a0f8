// JDBC: fetch size, batches, generated keys, transfer in text and binary, by the simple and the
// extended protocol. What the program is given, and what it says of its checks: see ../README.md.

import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;

public final class WithJdbc {
    private static final String SELECT = "SELECT name, sealed, clear FROM cards ORDER BY name";

    /** How the driver speaks: its protocol, and from which use on it prepares and has binary. */
    private record Mode(String name, String parameters) {
        boolean isSimple() {
            return name.equals("simple");
        }
    }

    private static final List<Mode> MODES = List.of(
            new Mode("extended", ""),
            new Mode("extended, binary at once", "&prepareThreshold=-1"),
            new Mode("extended, prepared at once", "&prepareThreshold=1"),
            new Mode("extended, never prepared", "&prepareThreshold=0&binaryTransfer=false"),
            new Mode("extended for prepared", "&preferQueryMode=extendedForPrepared"),
            new Mode("cached", "&preferQueryMode=extendedCacheEverything"),
            new Mode("simple", "&preferQueryMode=simple"));

    private record Row(String name, byte[] sealed, byte[] clear) {
        boolean same(Row other) {
            return name.equals(other.name)
                    && Arrays.equals(sealed, other.sealed)
                    && Arrays.equals(clear, other.clear);
        }
    }

    private final Mode mode;
    private final Connection db;
    private final List<Row> written = rows("sealed");
    private final List<Row> read = rows("plain");

    /** In simple queries the driver has no literals for bytes. */
    private final String insert;

    private WithJdbc(Mode mode, Connection db) throws Exception {
        this.mode = mode;
        this.db = db;
        insert = mode.isSimple()
                ? "INSERT INTO cards VALUES (?, decode(?, 'hex'), decode(?, 'hex'))"
                : "INSERT INTO cards VALUES (?, ?, ?)";
    }

    public static void main(String[] arguments) throws Exception {
        for (Mode mode : MODES) {
            try (Connection db = connect("CHAIN_URL", mode)) {
                if (mode == MODES.get(0)) {
                    System.out.println("JDBC " + db.getMetaData().getDriverVersion());
                }
                new WithJdbc(mode, db).checks();
            }
            try (Connection db = connect("DIRECT_URL", mode)) {
                WithJdbc direct = new WithJdbc(mode, db);
                direct.check(direct.fetch(0), direct.written, "the database has it sealed");
            }
        }
    }

    private static Connection connect(String variable, Mode mode) throws Exception {
        URI uri = URI.create(System.getenv(variable));
        return DriverManager.getConnection("jdbc:postgresql://" + uri.getHost() + ":" + uri.getPort()
                + uri.getPath() + "?user=" + uri.getUserInfo() + "&sslmode=disable&gssEncMode=disable"
                + "&connectTimeout=20&socketTimeout=20" + mode.parameters);
    }

    private void checks() throws Exception {
        try (Statement create = db.createStatement()) {
            create.execute("DROP TABLE IF EXISTS cards");
            create.execute("CREATE TABLE cards (name text PRIMARY KEY, sealed bytea, clear bytea)");
        }
        batches();
        reads();
        returned();
        transactions();
        if (!mode.name.startsWith("extended ") && !mode.name.startsWith("cached")) {
            large();
        }
    }

    /** Writes in a batch, and a statement at a time. */
    private void batches() throws SQLException {
        db.setAutoCommit(false);
        try (PreparedStatement statement = db.prepareStatement(insert)) {
            for (Row row : written) {
                bind(statement, row);
                statement.addBatch();
            }
            check(statement.executeBatch().length == written.size(), "a batch");
        }
        db.commit();
        check(fetch(0), read, "read");
        try (Statement statement = db.createStatement()) {
            statement.addBatch("DELETE FROM cards WHERE name = 'card'");
            statement.addBatch("UPDATE cards SET clear = NULL");
            statement.executeBatch();
        }
        db.rollback();
        check(fetch(0), read, "a batch rolled back");
    }

    /** Reads the same statement often enough for the driver to prepare it, whole and in pieces. */
    private void reads() throws SQLException {
        for (int size : new int[] {0, 1, 2, 100}) {
            check(fetch(size), read, "fetch size " + size);
        }
        try (PreparedStatement select = db.prepareStatement(SELECT)) {
            select.setFetchSize(2);
            for (int time = 1; time <= 7; time++) {
                check(rows(select.executeQuery()), read, "the same statement, time " + time);
            }
        }
        try (Statement other = db.createStatement()) {
            // With binary at once, the driver binds the first statement for the columns of both.
            if (!mode.name.endsWith("binary at once")) {
                other.execute("SELECT 1; " + SELECT);
                other.getMoreResults();
                check(rows(other.getResultSet()), read, "the second of two statements");
            }
            other.execute("SET bytea_output = escape");
            check(fetch(0), read, "escape format");
            other.execute("RESET bytea_output");
        }
        db.commit();
    }

    /** Has the rows that were written returned. */
    private void returned() throws SQLException {
        List<Row> back = new ArrayList<>();
        try (Statement delete = db.createStatement()) {
            delete.execute("DELETE FROM cards");
        }
        String[] columns = {"name", "sealed", "clear"};
        try (PreparedStatement statement = db.prepareStatement(insert, columns)) {
            for (Row row : written) {
                bind(statement, row);
                statement.addBatch();
            }
            statement.executeBatch();
            check(rows(statement.getGeneratedKeys()), read, "a batch, returned");
        }
        db.commit();
    }

    /** Rolls back to a savepoint behind an error. */
    private void transactions() throws SQLException {
        Savepoint before = db.setSavepoint();
        try (Statement statement = db.createStatement()) {
            statement.execute("DELETE FROM cards");
            statement.execute("SELECT 1 / 0");
        } catch (SQLException error) {
            check(error.getSQLState().equals("22012"), "an error");
        }
        db.rollback(before);
        db.commit();
        check(fetch(0), read, "rolled back to a savepoint");
        db.commit();
    }

    /** Writes and reads 8 MB. */
    private void large() throws Exception {
        try (PreparedStatement statement = db.prepareStatement(insert)) {
            bind(statement, row("large", "sealed"));
            statement.execute();
        }
        String query = "SELECT name, sealed, clear FROM cards WHERE name = 'large'";
        try (PreparedStatement select = db.prepareStatement(query)) {
            check(rows(select.executeQuery()), List.of(row("large", "plain")), "large");
        }
        db.rollback();
    }

    private void bind(PreparedStatement statement, Row row) throws SQLException {
        statement.setString(1, row.name);
        if (mode.isSimple()) {
            statement.setString(2, hex(row.sealed));
            statement.setString(3, hex(row.clear));
        } else {
            statement.setBytes(2, row.sealed);
            statement.setBytes(3, row.clear);
        }
    }

    private static String hex(byte[] value) {
        return value == null ? null : HexFormat.of().formatHex(value);
    }

    private List<Row> fetch(int size) throws SQLException {
        try (Statement select = db.createStatement()) {
            select.setFetchSize(size);
            return rows(select.executeQuery(SELECT));
        }
    }

    private static List<Row> rows(ResultSet results) throws SQLException {
        List<Row> rows = new ArrayList<>();
        while (results.next()) {
            rows.add(new Row(results.getString(1), results.getBytes(2), results.getBytes(3)));
        }
        results.close();
        return rows;
    }

    private static List<Row> rows(String kind) throws Exception {
        List<Row> rows = new ArrayList<>();
        for (String name : List.of("bytes", "card", "empty", "long")) {
            rows.add(row(name, kind));
        }
        rows.add(new Row("null", null, null));
        return rows;
    }

    private static Row row(String name, String kind) throws Exception {
        byte[] value = Files.readAllBytes(Path.of(System.getenv("VALUES"), name + "." + kind));
        return new Row(name, value, new byte[0]);
    }

    private void check(List<Row> found, List<Row> expected, String what) {
        boolean same = found.size() == expected.size();
        for (int i = 0; same && i < found.size(); i++) {
            same = found.get(i).same(expected.get(i));
        }
        check(same, what);
    }

    private void check(boolean passed, String what) {
        if (!passed) {
            throw new AssertionError("not so: " + mode.name + ": " + what);
        }
        System.out.println(mode.name + ": " + what);
    }
}
