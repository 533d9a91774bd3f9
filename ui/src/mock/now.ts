/** Sunday 22 November 2026, 14:30:20: every scenario plays then. */
export const NOW = new Date(2026, 10, 22, 14, 30, 20).getTime();
