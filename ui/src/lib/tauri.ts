import { invoke } from '@tauri-apps/api/core';
import { listen } from '@tauri-apps/api/event';
import { homeDir } from '@tauri-apps/api/path';
import type { Host, Told } from './host';

/** The desktop program around the page. */
export const tauri: Host = {
  call: (command) => invoke('call', { command }),
  listen: (on) => listen<Told>('baton', (event) => on(event.payload)),
  autostart: () => invoke('autostart'),
  setAutostart: (on) => invoke('set_autostart', { on }),
  openLink: (link) => invoke('open_link', { link }),
  start: () => invoke('start'),
  why: () => invoke('why'),
  home: homeDir,
  place: () => invoke('place'),
};
