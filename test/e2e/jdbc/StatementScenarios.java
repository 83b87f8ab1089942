import java.sql.BatchUpdateException;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.Statement;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;
import org.postgresql.PGStatement;
import org.postgresql.util.PSQLException;

/** What the driver does with statements and their rows. */
final class StatementScenarios extends Clients {
  /** Past the threshold, which is five, statements have names on the server and rows are binary. */
  static void threshold(String url) throws Exception {
    Work work = (connection, who) -> {
      long total = 0;
      boolean isNamed = false;
      String sql = "SELECT ?::int + ?::int8, ?::text";
      try (PreparedStatement add = connection.prepareStatement(sql)) {
        for (int round = 0; round < 20; round++) {
          add.setInt(1, who);
          add.setLong(2, round);
          add.setString(3, "it's " + round);
          try (ResultSet rows = add.executeQuery()) {
            rows.next();
            total += rows.getLong(1);
            if (!rows.getString(2).equals("it's " + round)) throw new AssertionError();
          }
          isNamed = add.unwrap(PGStatement.class).isUseServerPrepare();
        }
      }
      return total + " " + isNamed;
    };
    atOnce(url, CLIENTS, work);
    for (String extra : List.of("prepareThreshold=1", "prepareThreshold=-1", "prepareThreshold=0",
        "preferQueryMode=simple", "preferQueryMode=extendedForPrepared",
        "preferQueryMode=extendedCacheEverything", "preparedStatementCacheQueries=2")) {
      atOnce(url + "&" + extra, CLIENTS / 2, work);
    }
  }

  /** More statements than the driver keeps, so that it closes old ones together with new work. */
  static void manyStatements(String url) throws Exception {
    String few = "&preparedStatementCacheQueries=3&prepareThreshold=1";
    atOnce(url + few, CLIENTS, (connection, who) -> {
      long total = 0;
      for (int round = 0; round < 80; round++) {
        String sql = "SELECT ?::int * " + round % 7;
        try (PreparedStatement times = connection.prepareStatement(sql)) {
          times.setInt(1, who);
          try (ResultSet rows = times.executeQuery()) {
            rows.next();
            total += rows.getInt(1);
          }
        }
      }
      return total;
    });
  }

  static void types(String url) throws Exception {
    atOnce(url + "&prepareThreshold=2", 4, (connection, who) -> {
      List<Object> said = new ArrayList<>();
      String sql = "SELECT ?::bool, ?::numeric, ?::timestamptz, ?::bytea, ?::text[], ?::jsonb,"
          + " ?::float8";
      try (PreparedStatement all = connection.prepareStatement(sql)) {
        for (int round = 0; round < 5; round++) {
          all.setBoolean(1, true);
          all.setBigDecimal(2, new java.math.BigDecimal("-123456789012345678901234567890.5"));
          all.setObject(3, OffsetDateTime.parse("2026-02-03T04:05:06.789Z"));
          all.setBytes(4, new byte[] {0, -1, (byte) who});
          all.setArray(5, connection.createArrayOf("text", new Object[] {"a", null, "b\"c"}));
          all.setString(6, "{\"a\": [1, null]}");
          all.setDouble(7, 1.0 / 3);
          try (ResultSet rows = all.executeQuery()) {
            rows.next();
            said.add(List.of(rows.getBoolean(1), rows.getBigDecimal(2),
                rows.getTimestamp(3).toInstant(), Arrays.toString(rows.getBytes(4)),
                Arrays.toString((Object[]) rows.getArray(5).getArray()), rows.getString(6),
                rows.getDouble(7)));
          }
        }
        ResultSetMetaData columns = all.getMetaData();
        said.add(columns.getColumnCount() + columns.getColumnTypeName(6));
        said.add(all.getParameterMetaData().getParameterTypeName(5));
      }
      return said;
    });
  }

  static void batches(String url) throws Exception {
    setUp(url, "CREATE TABLE batched (id serial, who int, n int, CHECK (n <> 13))");
    for (String extra : List.of("", "&reWriteBatchedInserts=true")) {
      atOnce(url + extra, CLIENTS, (connection, who) -> {
        String said = "";
        String sql = "INSERT INTO batched (who, n) VALUES (?, ?)";
        try (PreparedStatement insert = connection.prepareStatement(sql)) {
          for (int n = 100; n < 700; n++) {
            insert.setInt(1, who);
            insert.setInt(2, n);
            insert.addBatch();
          }
          said += Arrays.stream(insert.executeBatch()).filter(count -> count != 0).count();
          connection.setAutoCommit(false);
          for (int n = 10; n < 20; n++) {
            insert.setInt(1, who);
            insert.setInt(2, n);
            insert.addBatch();
          }
          try {
            insert.executeBatch();
          } catch (BatchUpdateException error) {
            said += " " + error.getSQLState() + error.getUpdateCounts().length;
          }
          connection.rollback();
        }
        try (Statement several = connection.createStatement()) {
          several.addBatch("UPDATE batched SET n = n + 1 WHERE who = " + who);
          several.addBatch("DELETE FROM batched WHERE n > 600 AND who = " + who);
          said += Arrays.toString(several.executeBatch());
        }
        connection.commit();
        return said + one(connection, "SELECT sum(n) FROM batched WHERE who = " + who);
      });
    }
  }

  static void generatedKeys(String url) throws Exception {
    setUp(url, "CREATE TABLE keyed (id int GENERATED ALWAYS AS IDENTITY, who int, n int)");
    atOnce(url, CLIENTS, (connection, who) -> {
      TreeSet<Integer> keys = new TreeSet<>();
      String sql = "INSERT INTO keyed (who, n) VALUES (?, ?)";
      try (PreparedStatement insert =
          connection.prepareStatement(sql, Statement.RETURN_GENERATED_KEYS)) {
        for (int n = 0; n < 20; n++) {
          insert.setInt(1, who);
          insert.setInt(2, n);
          if (n < 10) {
            insert.executeUpdate();
            try (ResultSet rows = insert.getGeneratedKeys()) {
              rows.next();
              keys.add(rows.getInt("id"));
            }
          } else {
            insert.addBatch();
          }
        }
        insert.executeBatch();
        try (ResultSet rows = insert.getGeneratedKeys()) {
          while (rows.next()) keys.add(rows.getInt("id"));
        }
      }
      TreeSet<Integer> stored = new TreeSet<>();
      try (Statement read = connection.createStatement();
          ResultSet rows = read.executeQuery("SELECT id FROM keyed WHERE who = " + who)) {
        while (rows.next()) stored.add(rows.getInt(1));
      }
      return keys.size() + " " + keys.equals(stored);
    });
  }

  /** Portals that are executed in portions, several at once, with other work in between. */
  static void fetchSize(String url) throws Exception {
    atOnce(url, CLIENTS, (connection, who) -> {
      connection.setAutoCommit(false);
      String sql = "SELECT generate_series(1, ?)";
      long sum = 0;
      try (PreparedStatement read = connection.prepareStatement(sql);
          PreparedStatement other = connection.prepareStatement(sql)) {
        read.setFetchSize(37);
        other.setFetchSize(5);
        for (int round = 0; round < 7; round++) {
          read.setInt(1, 300 + who);
          other.setInt(1, 40);
          try (ResultSet rows = read.executeQuery(); ResultSet others = other.executeQuery()) {
            while (rows.next()) {
              sum += rows.getInt(1);
              if (others.next()) sum += others.getInt(1);
              if (rows.getInt(1) == 100) sum += (Integer) one(connection, "SELECT 1000");
              // Not all of them: the portal stays open to the end of the transaction.
              if (round == 3 && rows.getInt(1) == 150) break;
            }
          }
        }
      }
      connection.commit();
      try (Statement held = connection.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE,
          ResultSet.CONCUR_READ_ONLY);
          ResultSet rows = held.executeQuery("SELECT generate_series(1, 9)")) {
        rows.last();
        sum = sum * 100 + rows.getInt(1) * 10;
        rows.absolute(3);
        sum += rows.getInt(1);
      }
      connection.commit();
      return sum;
    });
  }

  /** What was prepared outlives its table: with autosave the driver prepares it again by itself. */
  static void altered(String url) throws Exception {
    for (String mode : List.of("always", "never")) {
      atOnce(url + "&prepareThreshold=1&autosave=" + mode, 1, (connection, who) -> {
        List<String> said = new ArrayList<>();
        execute(connection, "DROP TABLE IF EXISTS outgrown", "CREATE TABLE outgrown (a int)",
            "INSERT INTO outgrown VALUES (7)");
        connection.setAutoCommit(false);
        try (PreparedStatement read = connection.prepareStatement("SELECT * FROM outgrown")) {
          for (String change : List.of("SELECT 1", "ALTER TABLE outgrown ALTER a TYPE text",
              "ALTER TABLE outgrown ADD b text DEFAULT 'new'")) {
            execute(connection, change);
            connection.commit();
            for (int round = 0; round < 3; round++) {
              try (ResultSet rows = read.executeQuery()) {
                rows.next();
                said.add(rows.getString(1) + rows.getMetaData().getColumnCount());
              } catch (PSQLException error) {
                said.add(error.getSQLState());
                connection.rollback();
              }
            }
            connection.commit();
          }
        }
        return said;
      });
    }
  }
}
