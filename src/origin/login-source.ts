/** Where user and password for an origin come from, for each login anew. */
export type Login = {
  readonly user: string;
  /** Null when there is none to give. */
  readonly password: string | null;
};

export type LoginSource = {
  /** @throws GatewayError `MR_ORIGIN_CREDENTIALS` when there is nothing to log in with */
  current(): Promise<Login>;
  /**
   * What to try once more with, after the origin refused a login that `current` gave; null when
   * there is nothing newer.
   */
  renewed(refused: Login): Promise<Login | null>;
};
