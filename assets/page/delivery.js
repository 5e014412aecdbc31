// Hands a finished file to the browser's downloads.

const take = () => {
  const file = props.value?.file;
  if (!file) return;
  const link = document.createElement("a");
  link.href = file.url;
  link.download = file.orig_name;
  document.body.append(link);
  link.click();
  link.remove();
};
watch('value', take);
