# A bare workerd whose Hyperdrive binding is Millrace: npm install && npm start
# Build the Worker first: npm install && npm run build (in ../worker)
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    # Where Millrace listens.
    (name = "millrace", external = (address = "127.0.0.1:5432", tcp = ())),
  ],
  sockets = [(name = "http", address = "127.0.0.1:8080", http = (), service = "main")],
);

const worker :Workerd.Worker = (
  modules = [(name = "index.js", esModule = embed "../worker/dist/index.js")],
  compatibilityDate = "2026-04-01",
  compatibilityFlags = ["nodejs_compat"],
  bindings = [
    (
      name = "HYPERDRIVE",
      hyperdrive = (
        designator = "millrace",
        # Name of the configuration, and a credential of it. workerd does not escape them: keep to
        # letters, digits, "-" and "_", as the passwords that Millrace mints do.
        database = "demo",
        user = "millrace",
        password = "millrace",
        scheme = "postgresql",
      ),
    ),
  ],
);
