/** What a gateway tells of a configuration at work. */
export type ConfigurationStatus = {
  readonly name: string;
  readonly clients: number;
  /** Clients that wait for a link. */
  readonly waiting: number;
  readonly links: {
    readonly idle: number;
    readonly checkedOut: number;
    readonly opening: number;
  };
};
