/**
 * What has gone wrong elsewhere, one sentence a row. A number or CVE is what tests name before the
 * colon of their titles; numbers are never given to something else, and some are not ours yet.
 */
export const hazardRows = {
  'hazard 1':
    'A client whose wait for a connection has timed out goes on sending, and another client gets the rows.',
  'hazard 2': 'A connection goes back at the first ReadyForQuery while answers are still due.',
  'hazard 3': 'The first byte of a chunk is taken for the type of a message.',
  'hazard 4': 'A cancel request hits whoever uses the connection next.',
  'hazard 5':
    'A cancel request hits a statement of the pooler’s own, such as the SET that prepares a connection.',
  'hazard 6': 'Cancel keys are guessed, or belong to two clients at once.',
  'hazard 7': 'Names of prepared statements are hashes of the text, and two texts collide.',
  'hazard 8': 'One text is shared by clients to whom it means different things.',
  'hazard 9': 'A Parse that failed is remembered as done, or closing what is not there fails.',
  'hazard 10':
    'Answers that the pooler gives by itself come in another order than those of the server.',
  'hazard 11': 'A prepared statement is evicted in the middle of the batch that uses it.',
  'hazard 12': 'Messages behind an error are answered instead of skipped, or the client hangs.',
  'hazard 13': 'A table changes under a prepared statement, and its clients never recover.',
  'hazard 14': 'A COPY that is broken off leaves a connection out of step.',
  'hazard 15': 'Reported settings get lost, go to another client, or are sent again and again.',
  'hazard 16':
    'SET ROLE and SET SESSION AUTHORIZATION survive RESET ALL and reach the next client.',
  'hazard 17': 'A custom setting on which row security relies reaches the next client.',
  'hazard 18': 'The search_path of a client reaches the pooler’s own queries.',
  'hazard 19': 'Bytes in the clear are taken for bytes of a TLS session, or TLS is talked away.',
  'hazard 20': 'Messages out of turn during the login are taken for something else.',
  'hazard 21': 'Impossible lengths and slow logins crash, hang or fill the memory.',
  'hazard 22': 'Odd options in the startup packet make their parser loop.',
  'hazard 23': 'A malformed server crashes the pooler.',
  'hazard 24': 'A slow client makes the pooler hold a whole result.',
  'hazard 25': 'A connection goes back with unread bytes of a client that has left.',
  'hazard 26': 'Caches of parsed statements grow without bound.',
  'hazard 27': 'Cancel requests or connection attempts that are never answered take up slots.',
  'hazard 30': 'A reload drops clients, loses settings or leaks connections.',
  'hazard 31': 'A session lock is not noticed because of the way it was called.',
  'CVE-2012-4575': 'An unknown database name crashes PgBouncer.',
  'CVE-2015-4054': 'A password message before the startup packet crashes PgBouncer.',
  'CVE-2015-6817': 'An unknown user is logged in to PgBouncer as the user of auth_query.',
  'CVE-2021-3935': 'PgBouncer keeps bytes in the clear across the start of TLS.',
  'CVE-2025-2291': 'PgBouncer lets in users whose VALID UNTIL has passed.',
  'CVE-2025-12819': 'The search_path of a client hijacks the auth_query of PgBouncer.',
  'CVE-2026-6664': 'A length that overflows crashes PgBouncer before the login.',
  'CVE-2026-6665': 'A SCRAM message of a server overflows a buffer of PgBouncer.',
  'CVE-2026-6666': 'An error of a server without a SQLSTATE crashes PgBouncer.',
  'CVE-2026-6667': 'KILL_CLIENT of PgBouncer asks for no administrator.',
  'CVE-2026-6668': 'A length of 2 GiB or more sends PgBouncer into an endless loop.',
  'CVE-2026-107348': 'A length of 2 GiB or more sends PgBouncer into an endless loop, elsewhere.',
  'CVE-2026-107349': 'Empty names in the startup options send PgBouncer into an endless loop.',
  'CVE-2026-107350': 'A second startup packet during SCRAM changes the user in PgBouncer.',
  'CVE-2021-43766': 'Odyssey takes bytes in the clear from a server for bytes of its TLS session.',
  'CVE-2021-43767': 'Odyssey takes bytes in the clear from a client for bytes of its TLS session.',
  'CVE-2021-23214': 'PostgreSQL takes bytes sent with SSLRequest for bytes of the TLS session.',
  'CVE-2021-23222': 'libpq takes bytes sent with the answer to SSLRequest for the server’s.',
  'CVE-2023-22332': 'Pgpool-II shows the password of its health check.',
  'CVE-2024-45624': 'The query cache of Pgpool-II goes on answering after a REVOKE.',
  'CVE-2025-46801': 'Pgpool-II lets a client log in as any user.',
  'CVE-2024-10977': 'libpq passes on an error text that came before TLS.',
} as const;

export type HazardId = keyof typeof hazardRows;
