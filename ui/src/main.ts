import { mount } from 'svelte';
import App from './App.svelte';
import { tauri } from './lib/tauri';
import './styles/base.css';

mount(App, { target: document.getElementById('app') ?? document.body, props: { host: tauri } });
