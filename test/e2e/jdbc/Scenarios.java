import java.util.LinkedHashMap;
import java.util.Map;

/** One scenario of pgJDBC against the URL of the command line: what it prints is compared. */
public final class Scenarios {
  private static final Map<String, Clients.Scenario> SCENARIOS = new LinkedHashMap<>();

  static {
    SCENARIOS.put("threshold", StatementScenarios::threshold);
    SCENARIOS.put("manyStatements", StatementScenarios::manyStatements);
    SCENARIOS.put("types", StatementScenarios::types);
    SCENARIOS.put("batches", StatementScenarios::batches);
    SCENARIOS.put("generatedKeys", StatementScenarios::generatedKeys);
    SCENARIOS.put("fetchSize", StatementScenarios::fetchSize);
    SCENARIOS.put("copying", SessionScenarios::copying);
    SCENARIOS.put("timeouts", SessionScenarios::timeouts);
    SCENARIOS.put("autosave", SessionScenarios::autosave);
    SCENARIOS.put("altered", StatementScenarios::altered);
    SCENARIOS.put("transactions", SessionScenarios::transactions);
    SCENARIOS.put("listening", SessionScenarios::listening);
    SCENARIOS.put("sessionState", SessionScenarios::sessionState);
    SCENARIOS.put("errors", SessionScenarios::errors);
  }

  public static void main(String[] args) throws Exception {
    if (args.length == 0) {
      SCENARIOS.keySet().forEach(System.out::println);
    } else {
      int code = 0;
      try {
        SCENARIOS.get(args[0]).run(args[1]);
      } catch (Throwable error) {
        error.printStackTrace();
        code = 1;
      }
      // Threads that still wait for a server do not matter any more.
      System.exit(code);
    }
  }
}
