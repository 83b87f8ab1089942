/** Secrets that the processes of one program have in common; a single process makes up its own. */
export type SharedSecrets = {
  /** Makes up the salts of users that do not exist: no worker may tell them by another one. */
  readonly mockSecret: Uint8Array;
  /** Makes the keys of TLS tickets, so that each worker resumes the sessions of all. */
  readonly ticketSecret: Uint8Array;
};
