/** What one holder has of an account: sums of an epoch. */
export interface Holding {
  holder: number;
  epoch: number;
  granted: number;
  back: number;
  used: number;
}
