/** Where it is about noon now: days, weeks and months of the calendar do not end there while a test runs. */
const ahead = 12 - new Date().getUTCHours();

/** A time zone. In these names the sign is that of the way to Greenwich. */
export const NOON = ahead === 0 ? 'UTC' : `Etc/GMT${ahead > 0 ? '-' : '+'}${Math.abs(ahead)}`;
