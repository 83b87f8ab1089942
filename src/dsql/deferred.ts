/** What is done when the transaction commits that asks for it, and who asks. */

/** Who runs a role statement or a job: the role that it logged in as. */
export type Invoker = { readonly role: string; readonly isAdmin: boolean };

/** Has been tried out, and counts when {@link commit} is called. */
export type Deferred = {
  /**
   * @throws ServerError | DsqlError | GatewayError when it cannot be done after all; nothing has
   *   changed then
   */
  commit(): Promise<void>;
};
