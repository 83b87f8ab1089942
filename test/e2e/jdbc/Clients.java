import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** What the scenarios have in common. */
abstract class Clients {
  static final int CLIENTS = 8;

  interface Work {
    Object run(Connection connection, int who) throws Exception;
  }

  interface Scenario {
    void run(String url) throws Exception;
  }

  /** Each client has a connection of its own; their results in the order of the clients. */
  static void atOnce(String url, int clients, Work work) throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(clients);
    List<Future<Object>> results = new ArrayList<>();
    for (int i = 0; i < clients; i++) {
      int who = i;
      results.add(threads.submit(() -> {
        try (Connection connection = DriverManager.getConnection(url)) {
          return work.run(connection, who);
        }
      }));
    }
    for (Future<Object> result : results) System.out.println(result.get());
    threads.shutdown();
  }

  static void execute(Connection connection, String... scripts) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      for (String sql : scripts) statement.execute(sql);
    }
  }

  static void setUp(String url, String... scripts) throws SQLException {
    try (Connection connection = DriverManager.getConnection(url)) {
      execute(connection, scripts);
    }
  }

  static Object one(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(sql)) {
      rows.next();
      return rows.getObject(1);
    }
  }

  interface Failing {
    void run() throws Exception;
  }

  static String raises(Failing work) throws Exception {
    try {
      work.run();
    } catch (SQLException error) {
      return error.getSQLState() + " " + error.getMessage().replace('\n', ' ');
    }
    throw new AssertionError("no error");
  }
}
