import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.Savepoint;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;
import org.postgresql.util.PSQLException;

/** What goes on around statements. */
final class SessionScenarios extends Clients {
  static void copying(String url) throws Exception {
    setUp(url, "CREATE TABLE copied (who int, n int, t text)");
    atOnce(url, 6, (connection, who) -> {
      var copy = connection.unwrap(PGConnection.class).getCopyAPI();
      StringBuilder text = new StringBuilder();
      for (int n = 0; n < 5000; n++) text.append(who + "," + n + ",\"row, " + n + "\"\n");
      byte[] bytes = text.toString().getBytes(StandardCharsets.UTF_8);
      String into = "COPY copied FROM STDIN (FORMAT csv)";
      long in = copy.copyIn(into, new ByteArrayInputStream(bytes));
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      String from = "COPY (SELECT * FROM copied WHERE who = " + who
          + " ORDER BY n) TO STDOUT (FORMAT csv, FORCE_QUOTE (t))";
      long read = copy.copyOut(from, out);
      String bad = raises(() -> copy.copyIn(into, new ByteArrayInputStream("1,x,t\n".getBytes())));
      var given = copy.copyIn(into);
      given.writeToCopy(bytes, 0, 1000);
      given.cancelCopy();
      Object rows = one(connection, "SELECT count(*) FROM copied WHERE who = " + who);
      return in + " " + read + " " + Arrays.equals(out.toByteArray(), bytes) + " " + bad + rows;
    });
  }

  static void timeouts(String url) throws Exception {
    atOnce(url, 3, (connection, who) -> {
      try (Statement sleep = connection.createStatement()) {
        sleep.setQueryTimeout(1);
        String late = raises(() -> sleep.execute("SELECT pg_sleep(20)"));
        sleep.setQueryTimeout(0);
        Thread canceller = new Thread(() -> {
          try {
            Thread.sleep(300);
            sleep.cancel();
          } catch (Exception error) {
            throw new AssertionError(error);
          }
        });
        canceller.start();
        String cancelled = raises(() -> sleep.execute("SELECT pg_sleep(20)"));
        canceller.join();
        return late + cancelled + one(connection, "SELECT " + who);
      }
    });
  }

  /** The driver puts a savepoint before every statement, in the same message as the statement. */
  static void autosave(String url) throws Exception {
    setUp(url, "CREATE TABLE saved (who int, n int, UNIQUE (who, n))");
    for (String mode : List.of("always", "conservative", "never")) {
      setUp(url, "TRUNCATE saved");
      atOnce(url + "&prepareThreshold=2&autosave=" + mode, CLIENTS, (connection, who) -> {
        connection.setAutoCommit(false);
        List<String> said = new ArrayList<>();
        String sql = "INSERT INTO saved VALUES (?, ?)";
        try (PreparedStatement insert = connection.prepareStatement(sql)) {
          for (int n = 0; n < 12; n++) {
            insert.setInt(1, who);
            insert.setInt(2, n / 2);
            try {
              insert.execute();
            } catch (PSQLException error) {
              said.add(error.getSQLState());
            }
          }
        }
        connection.commit();
        return said + "" + one(connection, "SELECT count(*) FROM saved WHERE who = " + who);
      });
    }
  }

  static void transactions(String url) throws Exception {
    setUp(url, "CREATE TABLE counted (id int PRIMARY KEY, n int)",
        "INSERT INTO counted VALUES (1, 0)");
    atOnce(url, 6, (connection, who) -> {
      connection.setAutoCommit(false);
      connection.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
      while (true) {
        try (Statement work = connection.createStatement()) {
          int n = (Integer) one(connection, "SELECT n FROM counted WHERE id = 1");
          work.execute("UPDATE counted SET n = " + (n + 1));
          connection.commit();
          break;
        } catch (PSQLException error) {
          if (!error.getSQLState().equals("40001")) throw error;
          connection.rollback();
        }
      }
      Savepoint point = connection.setSavepoint("here");
      String twice = raises(() -> execute(connection, "INSERT INTO counted VALUES (1, 1)"));
      String aborted = raises(() -> execute(connection, "SELECT 1"));
      connection.rollback(point);
      connection.commit();
      connection.setReadOnly(true);
      String writing = raises(() -> execute(connection, "DELETE FROM counted"));
      connection.rollback();
      return twice + aborted + writing + connection.getTransactionIsolation();
    });
    atOnce(url, 1, (connection, who) -> one(connection, "SELECT n FROM counted"));
  }

  static void listening(String url) throws Exception {
    try (Connection hearing = DriverManager.getConnection(url)) {
      execute(hearing, "LISTEN news");
      atOnce(url, CLIENTS, (connection, who) -> {
        execute(connection, "SELECT pg_notify('news', 'from " + who + "')");
        return "told";
      });
      TreeSet<String> heard = new TreeSet<>();
      while (heard.size() < CLIENTS) {
        PGNotification[] more = hearing.unwrap(PGConnection.class).getNotifications(5000);
        if (more == null || more.length == 0) throw new AssertionError("nothing more came");
        for (PGNotification each : more) heard.add(each.getName() + " " + each.getParameter());
      }
      System.out.println(heard);
    }
  }

  static void sessionState(String url) throws Exception {
    String more = "&ApplicationName=mine&options=-c%20statement_timeout=43210"
        + "&currentSchema=public,pg_catalog";
    atOnce(url + more, CLIENTS, (connection, who) -> {
      execute(connection, "SET e2e.who = " + who);
      connection.setClientInfo("ApplicationName", "mine " + who);
      connection.setSchema("pg_catalog");
      TreeSet<Object> seen = new TreeSet<>();
      for (int round = 0; round < 5; round++) {
        seen.add(one(connection, "SELECT current_setting('application_name') || current_schema()"
            + " || current_setting('statement_timeout') || current_setting('e2e.who')"));
      }
      return seen + " " + connection.isValid(5);
    });
  }

  static void errors(String url) throws Exception {
    atOnce(url, CLIENTS, (connection, who) -> {
      String missing = raises(() -> execute(connection, "SELECT 1,\n nothing"));
      String several = raises(() -> execute(connection, "SELECT 1; SELECT 1/0; SELECT 2"));
      String raised = raises(() -> execute(connection,
          "DO $$ BEGIN RAISE NOTICE 'mind'; RAISE EXCEPTION 'no' USING HINT = 'h'; END $$"));
      String counted = "";
      try (Statement statement = connection.createStatement()) {
        statement.execute("DO $$ BEGIN RAISE WARNING 'mind'; END $$; SELECT 1;"
            + " CREATE TEMP TABLE x () ON COMMIT DROP; SELECT 2, 3");
        counted += statement.getWarnings().getMessage();
        while (statement.getMoreResults() || statement.getUpdateCount() != -1) {
          counted += statement.getUpdateCount();
        }
      }
      return missing + several + raised + counted;
    });
  }
}
