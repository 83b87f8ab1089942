/** One `millrace dev` with its DSQL cluster, and what clients need to reach it. */
import { readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { DsqlSigner } from '@aws-sdk/dsql-signer';
import { runWell } from '../support/command.ts';
import { millrace, type Program, ROOT } from '../support/program.ts';

type Ready = {
  readonly dsql: {
    readonly endpoint: string;
    readonly host: string;
    readonly port: number;
    readonly region: string;
    readonly ca_file: string;
    readonly access_key_id: string;
    readonly secret_access_key: string;
    readonly api_url: string;
  };
  readonly api: { readonly url: string; readonly token: string };
};

export type Keys = {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
};

/** Who connects where. */
export type As = { readonly user?: string; readonly keys?: Keys; readonly endpoint?: string };

export class DsqlDev {
  readonly program: Program;
  readonly dsql: Ready['dsql'];
  readonly api: Ready['api'];
  readonly ca: string;

  private constructor(program: Program, { dsql, api }: Ready) {
    this.program = program;
    this.dsql = dsql;
    this.api = api;
    this.ca = readFileSync(dsql.ca_file, 'utf8');
  }

  static async start(): Promise<DsqlDev> {
    const program = millrace(['dev', '--json', '--ephemeral', '--port', '0']);
    try {
      const [, line = ''] = await program.says('stdout', /^(.*)\n/, 90_000);
      return new DsqlDev(program, JSON.parse(line) as Ready);
    } catch (error) {
      if (program.isRunning) await program.stop();
      throw error;
    }
  }

  /** The key that `millrace dev` prints. */
  get keys(): Keys {
    const { access_key_id: accessKeyId, secret_access_key: secretAccessKey } = this.dsql;
    return { accessKeyId, secretAccessKey };
  }

  /** As `export` gives them to the SDK, and to `millrace`. */
  get env(): NodeJS.ProcessEnv {
    return {
      AWS_ACCESS_KEY_ID: this.dsql.access_key_id,
      AWS_SECRET_ACCESS_KEY: this.dsql.secret_access_key,
      AWS_REGION: this.dsql.region,
      MILLRACE_API_URL: this.api.url,
      MILLRACE_API_TOKEN: this.api.token,
    };
  }

  /** A socket to where the name of the cluster would lead. */
  readonly stream = (): Socket => {
    const socket = new Socket();
    // node-postgres connects what it is given, to the name, which no DNS knows.
    const { host, port } = this.dsql;
    const reach = socket.connect.bind(socket) as (port: number, host: string) => Socket;
    socket.connect = () => reach(port, host);
    return socket;
  };

  token({ user = 'admin', keys = this.keys, endpoint }: As = {}): Promise<string> {
    const hostname = endpoint ?? this.dsql.endpoint;
    const signer = new DsqlSigner({ hostname, region: this.dsql.region, credentials: keys });
    return user === 'admin' ? signer.getDbConnectAdminAuthToken() : signer.getDbConnectAuthToken();
  }

  /** For node-postgres. */
  async config(as: As = {}) {
    const { port, host, endpoint } = this.dsql;
    return {
      host,
      port,
      user: as.user ?? 'admin',
      database: 'postgres',
      password: await this.token(as),
      ssl: { ca: this.ca, servername: as.endpoint ?? endpoint },
    };
  }

  /** A connection string of libpq in its other form; the password is in {@link libpqEnv}. */
  conninfo(more = 'sslmode=verify-full', user = 'admin'): string {
    const { endpoint, host, port, ca_file: caFile } = this.dsql;
    const place = `host=${endpoint} hostaddr=${host} port=${port} user=${user} dbname=postgres`;
    return `${place} sslrootcert=${caFile} ${more}`;
  }

  async libpqEnv(as: As = {}): Promise<NodeJS.ProcessEnv> {
    return { PGPASSWORD: await this.token(as) };
  }

  /** psql without the files of this user; what it printed. */
  async psql(script: string, more?: string): Promise<string> {
    const args = ['-X', '-A', '-t', '-q', '-v', 'ON_ERROR_STOP=1', '-d', this.conninfo(more)];
    const options = { input: script, env: await this.libpqEnv() };
    return (await runWell('psql', [...args, '-f', '-'], options)).trimEnd();
  }

  /** The command as a user has it; what it printed. */
  cli(...args: string[]): Promise<string> {
    return runWell(process.execPath, [`${ROOT}/dist/main.js`, ...args], { env: this.env });
  }

  async stop(): Promise<void> {
    const { code } = await this.program.stop();
    if (code !== 0) throw new Error(`did not end well: ${this.program.describe()}`);
  }
}
