import { mount } from 'svelte';
import App from './App.svelte';
import './app.css';
import './timeline/saga-timeline';

mount(App, { target: document.getElementById('app')! });
